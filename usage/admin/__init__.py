"""The panel's pages of usage and closing: each translates a form into one call of the domain."""

from usage.admin import closing, records

__all__ = ["closing", "records"]
