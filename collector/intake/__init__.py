"""Reading: what is fetched ahead of storing, where reading stands, and how far everything has been read."""
