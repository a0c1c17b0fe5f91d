"""The way into the database: one atomic write for each batch, and the statements that make it up."""
