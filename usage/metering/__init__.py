"""Measure the quantities of many lines at once, computed by the database from the ledger."""

from usage.metering.events.filters import RuleTooLarge, matches
from usage.metering.events.measuring import EVENTS
from usage.metering.events.properties import register_on_sqlite
from usage.metering.events.sum import TOTAL
from usage.metering.measure import measure
from usage.metering.not_metered import NOT_METERED
from usage.metering.opening import CHAIN, IN_ORDER, opening_records, runs
from usage.metering.sum import SUM
from usage.metering.table import AGGREGATIONS, EVENT_AGGREGATIONS
from usage.metering.unit_days import UNIT_DAYS
from usage.metering.window import CUTOFF_OF_NOW, NOTHING, Measurement, Unread, Window

__all__ = [
    "AGGREGATIONS",
    "CHAIN",
    "CUTOFF_OF_NOW",
    "EVENTS",
    "EVENT_AGGREGATIONS",
    "IN_ORDER",
    "Measurement",
    "NOTHING",
    "NOT_METERED",
    "RuleTooLarge",
    "SUM",
    "TOTAL",
    "UNIT_DAYS",
    "Unread",
    "Window",
    "matches",
    "measure",
    "opening_records",
    "register_on_sqlite",
    "runs",
]
