"""Bricks with their event rules, and prices. The only writer of their tables."""

from billing.catalog.bricks import archive_brick, create_brick, update_brick
from billing.catalog.event_rules import (
    MAX_NAME,
    EventTerms,
    check_rule,
    current_rules,
    folded_filters,
    objection_to_size,
    set_event_rule,
    terms_of,
)
from billing.catalog.prices import (
    PriceIsFixed,
    PriceTerms,
    change_price,
    copy_price,
    create_price,
    is_billed,
    objection_to_model,
    refuse_too_many_tiers,
)

__all__ = [
    "MAX_NAME",
    "EventTerms",
    "PriceIsFixed",
    "PriceTerms",
    "archive_brick",
    "change_price",
    "check_rule",
    "copy_price",
    "create_brick",
    "create_price",
    "current_rules",
    "folded_filters",
    "is_billed",
    "objection_to_model",
    "objection_to_size",
    "refuse_too_many_tiers",
    "set_event_rule",
    "terms_of",
    "update_brick",
]
