"""How what people write is read: numbers and moments, in a workspace's formats. Pure; forms and files ask here."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat


@dataclass(frozen=True, slots=True)
class Formats:
    """How a workspace writes numbers and days, and whose clock its times are."""

    numbers: NumberFormat
    days: DayFormat
    tz: ZoneInfo
