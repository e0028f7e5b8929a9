"""Pages of the panel that call the domain of usage: the ledger, closing and the first page."""

from usage.admin import closing, records

__all__ = ["closing", "records"]
