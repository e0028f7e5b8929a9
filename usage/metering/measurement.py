"""What ``measure`` answers: a quantity, how many records it counts, and which of them it could not read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Unread:
    """Events that count and are worth nothing: what is added is no number in them, or what is told apart is not there.

    ``missing``: of the ``count``, those without the property at all. ``sample``: the first and the last of the others,
    or of all where none has the property, as the id that senders know and the value as JSON, cut, None where missing.
    ``newest``: the highest ledger id among them, which says since when there is one more.
    """

    count: int
    missing: int
    sample: tuple[tuple[int, str | None], ...]
    newest: int = field(default=0, compare=False)

    def as_list(self) -> list[dict[str, int | str | None]]:
        """Return the sample ready for JSON."""
        return [{"record": record, "value": value} for record, value in self.sample]


ALL_READ = Unread(count=0, missing=0, sample=())


@dataclass(frozen=True, slots=True)
class Measurement:
    """A quantity, exact to 9 places, how many records of the window it counts, and which of them are worth nothing.

    ``filter_gaps``: per property that a rule filters by, how many events of its type there are, where none has it; 0
    where one has. Empty where there is no such event, or no filter.
    """

    quantity: Decimal
    record_count: int
    unread: Unread = ALL_READ
    filter_gaps: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_missing_everywhere(self) -> bool:
        """Tell whether there are events, and none has the property that is added or told apart."""
        return 0 < self.record_count == self.unread.missing


NOTHING = Measurement(quantity=Decimal(0), record_count=0)
