"""The only writer of invoices."""
