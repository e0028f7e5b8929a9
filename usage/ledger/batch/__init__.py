"""Many records of one workspace at once."""
