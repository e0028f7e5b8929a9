"""How what people write is read: numbers and moments, in a workspace's formats. Pure; forms and files ask here."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from billing.entry import moments, numbers
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat


@dataclass(frozen=True, slots=True)
class Formats:
    """How a workspace writes numbers and days, and whose clock its times are."""

    numbers: NumberFormat
    days: DayFormat
    tz: ZoneInfo

    def examples(self) -> dict[str, str]:
        """Return how each of what people type is written: ``numbers``, ``days``, and by whose ``clock``."""
        return {"numbers": numbers.EXAMPLES[self.numbers], "days": moments.EXAMPLES[self.days], "clock": self.tz.key}
