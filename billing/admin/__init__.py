"""Pages of the panel that call the domain of billing."""

from billing.admin import accounts, bricks, customers, invoices, keys, prices, subscriptions, workspaces

__all__ = ["accounts", "bricks", "customers", "invoices", "keys", "prices", "subscriptions", "workspaces"]
