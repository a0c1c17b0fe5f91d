"""Event logs in files, as tools of process mining write them: read as a stream, stored like what Kafka says."""
