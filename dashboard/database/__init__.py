"""Django's PostgreSQL, with times of day that are read by psycopg's own code in C."""
