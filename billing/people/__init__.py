"""The people of the panel: log-in, permissions to give, forms done once. Knows no request and no page."""

from billing.people.addresses import client_address
from billing.people.attempts import TooManyAttempts
from billing.people.login import attempt, hashing, mark_for
from billing.people.turns import Busy
from billing.people.workspaces import show, shown_to

__all__ = ["Busy", "TooManyAttempts", "attempt", "client_address", "hashing", "mark_for", "show", "shown_to"]
