"""Subscriptions and their lines, with their terms. The only writer of their tables.

Callers convert days to moments: a subscription starts at the first moment of a day in the workspace's time zone and
ends at the first moment that it no longer covers.
"""

from billing.contracts.ends import end_line
from billing.contracts.following import followed_at, former_line, stored_followed_at
from billing.contracts.hooks import Foreseen, effects_of_adding, objections_to_ending
from billing.contracts.limits import NO_LIMITS, Limits, LimitsRefused, Room, has_hard_limit, reached
from billing.contracts.lines import add_line, has_open_lines, set_limits
from billing.contracts.periods import (
    coverage_of,
    full_period,
    next_close_at,
    open_period,
    period_around,
    periods_from,
)
from billing.contracts.refusals import UnableToAgree
from billing.contracts.starts import distant, distant_end
from billing.contracts.subscriptions import create_subscription, end_subscription, staying_ended
from billing.contracts.terms import LineTerms

__all__ = [
    "NO_LIMITS",
    "Foreseen",
    "Limits",
    "LimitsRefused",
    "LineTerms",
    "Room",
    "UnableToAgree",
    "add_line",
    "coverage_of",
    "create_subscription",
    "distant",
    "distant_end",
    "effects_of_adding",
    "end_line",
    "end_subscription",
    "followed_at",
    "former_line",
    "full_period",
    "has_hard_limit",
    "has_open_lines",
    "next_close_at",
    "objections_to_ending",
    "open_period",
    "period_around",
    "periods_from",
    "reached",
    "set_limits",
    "staying_ended",
    "stored_followed_at",
]
