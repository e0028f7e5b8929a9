"""A window to be measured, and its measurement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from django.db.models import BigIntegerField

from billing.models import EventRule, Line


@dataclass(frozen=True, slots=True)
class Window:
    """A line's records that occurred in ``[starts_at, ends_at)``, as of a cutoff.

    If the ``aggregation`` takes events: the events of the customer ``customer_id`` that match the ``rule``.
    """

    workspace_id: int
    aggregation: str
    line_id: int | None
    starts_at: datetime
    ends_at: datetime
    cutoff: int
    customer_id: UUID | None = None
    rule: EventRule | None = None

    @classmethod
    def of(
        cls,
        line: Line,
        starts_at: datetime,
        ends_at: datetime,
        *,
        cutoff: int,
        customer_id: UUID | None = None,
        rule: EventRule | None = None,
    ) -> Self:
        """Return a window of a line, whose brick is loaded.

        ``customer_id`` and ``rule`` are needed where the brick counts events.
        """
        return cls(
            workspace_id=line.workspace_id,
            aggregation=line.brick.aggregation,
            line_id=line.pk,
            starts_at=starts_at,
            ends_at=ends_at,
            cutoff=cutoff,
            customer_id=customer_id,
            rule=rule,
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """Events that count as records but add nothing: the rule's property is missing, or its value can't be used.

    ``missing``: the number of events without the property. ``sample``: the first and the last of the others, or of all
    if none has the property: the id that senders know and the value as JSON, cut, None if it is missing. ``newest``:
    the highest ledger id among them, which shows whether more have been received since.
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
    """A quantity, exact to 9 places, with the number of records in the window and the unread events.

    ``filter_gaps``: per property that the rule filters by, the number of events of its type if none of them has the
    property, else 0. Empty if the rule has no filter or there is no event of the type.
    """

    quantity: Decimal
    record_count: int
    unread: Unread = ALL_READ
    filter_gaps: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_missing_everywhere(self) -> bool:
        """Tell whether there are events and all of them lack the property that the rule reads."""
        return 0 < self.record_count == self.unread.missing


NOTHING = Measurement(quantity=Decimal(0), record_count=0)
# The current cutoff: no record has a greater id.
CUTOFF_OF_NOW = BigIntegerField.MAX_BIGINT
