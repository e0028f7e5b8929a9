"""Workspaces, customers and the names of customers. The only writer of their tables."""

from billing.parties.customers import (
    NOBODY,
    add_alias,
    create_customer,
    on_new_names,
    refuse_nobody,
    remove_alias,
    update_alias,
    update_customer,
)
from billing.parties.workspaces import add_origin, create_workspace, remove_origin, update_origin, update_workspace

__all__ = [
    "NOBODY",
    "add_alias",
    "add_origin",
    "create_customer",
    "create_workspace",
    "on_new_names",
    "refuse_nobody",
    "remove_alias",
    "remove_origin",
    "update_alias",
    "update_customer",
    "update_origin",
    "update_workspace",
]
