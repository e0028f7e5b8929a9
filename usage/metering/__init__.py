"""How much was used: quantities of many lines at once, computed by the database from the ledger."""

from usage.metering.measure import Measurement, Window, measure

__all__ = ["Measurement", "Window", "measure"]
