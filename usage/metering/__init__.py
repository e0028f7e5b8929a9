"""How much was used: quantities of many lines at once, computed by the database from the ledger."""

from usage.metering.measure import Measurement, Window, measure
from usage.metering.opening import opening_records

__all__ = ["Measurement", "Window", "measure", "opening_records"]
