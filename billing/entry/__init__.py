"""Parse numbers, days and moments as users write them, in a workspace's formats. Pure; used by forms and files."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from billing.entry import moments, numbers
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of a workspace's numbers and days, and its time zone."""

    numbers: NumberFormat
    days: DayFormat
    tz: ZoneInfo

    def examples(self) -> dict[str, str]:
        """Return an example of each format (``numbers``, ``days``) and the time zone (``clock``)."""
        return {"numbers": numbers.EXAMPLES[self.numbers], "days": moments.EXAMPLES[self.days], "clock": self.tz.key}
