"""Read numbers, days and moments as people write them, in a workspace's formats. Pure; forms and files use it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from billing.entry import moments, numbers
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats in which a workspace writes numbers and days, and the zone of its times."""

    numbers: NumberFormat
    days: DayFormat
    tz: ZoneInfo

    def examples(self) -> dict[str, str]:
        """Return an example of how ``numbers`` and ``days`` are written, and the zone of the ``clock``."""
        return {"numbers": numbers.EXAMPLES[self.numbers], "days": moments.EXAMPLES[self.days], "clock": self.tz.key}
