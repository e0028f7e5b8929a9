"""Storage on PostgreSQL and SQLite alike: exact decimals and JSON, rows handed to SQL, failures and time limits.

Rows go to SQL in one way: ``rows`` for those that a statement reads, ``bulk`` for many that are inserted.
"""
