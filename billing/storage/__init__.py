"""What the databases are made to keep, and how rows are handed to them."""
