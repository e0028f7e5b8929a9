"""Storage on PostgreSQL and SQLite alike: exact decimals and JSON, rows handed to SQL, failures and time limits.

Rows are passed to SQL in one way: ``rows`` for those that a statement reads, ``bulk`` for many that are inserted.
"""
