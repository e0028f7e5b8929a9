"""Users of the panel: log-in, grantable permissions, one-time forms. Independent of requests and pages."""

from billing.people import grants, keeping, sent_forms
from billing.people.addresses import client_address
from billing.people.attempts import TooManyAttempts
from billing.people.login import attempt, check_proxies, hashing, mark_for
from billing.people.sent_forms import DoneBefore
from billing.people.turns import Busy
from billing.people.workspaces import show, shown_to

__all__ = [
    "Busy",
    "DoneBefore",
    "TooManyAttempts",
    "attempt",
    "check_proxies",
    "client_address",
    "grants",
    "hashing",
    "keeping",
    "mark_for",
    "sent_forms",
    "show",
    "shown_to",
]
