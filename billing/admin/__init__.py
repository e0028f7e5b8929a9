"""The panel's pages of billing: each translates a form into one call of the domain."""

from billing.admin import accounts, bricks, customers, invoices, keys, prices, subscriptions, workspaces

__all__ = ["accounts", "bricks", "customers", "invoices", "keys", "prices", "subscriptions", "workspaces"]
