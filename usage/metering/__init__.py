"""How much was used: quantities of many lines at once, computed by the database from the ledger."""

from usage.metering.events import RuleTooLarge
from usage.metering.measure import Window, measure
from usage.metering.measurement import Measurement, Unread
from usage.metering.opening import opening_records

__all__ = ["Measurement", "RuleTooLarge", "Unread", "Window", "measure", "opening_records"]
