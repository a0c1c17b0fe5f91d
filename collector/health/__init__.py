"""How well a collector does: its counts, heartbeats and logs, and what they say about what can be believed."""
