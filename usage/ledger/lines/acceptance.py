"""Decide which line takes usage: one rule for single records, batches, corrections and imports.

``accept`` decides on values and reports the reason if no line takes the usage. ``condition`` is the same rule in SQL,
for the single statement that finds the line and records at once.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from billing.aggregations import OF_BRICKS, Aggregation, sql_names
from billing.contracts import has_hard_limit
from billing.localmoment import LocalMoment
from billing.models import Line
from usage.ledger.refusals import Life, LineNotFound, LineNotMetered, OutsideLine, QuantityRefused

# ``has_hard_limit`` in SQL, for the line ``line``.
IS_BOUNDED = "(line.hard_limit_quantity IS NOT NULL OR line.hard_limit_amount IS NOT NULL)"


class LineFacts(NamedTuple):
    """The facts about a line that decide whether it takes usage, and those shown to clients. Moments are UTC."""

    id: int
    number: int
    reference: str | None
    aggregation: str
    is_bounded: bool
    starts_at: datetime
    ends_at: datetime | None
    open_from_at: datetime
    time_zone: str

    @classmethod
    def of(cls, line: Line) -> "LineFacts":
        """Return the facts about a line whose brick and workspace are loaded."""
        return cls(
            id=line.pk,
            number=line.number,
            reference=line.reference,
            aggregation=line.brick.aggregation,
            is_bounded=has_hard_limit(line),
            starts_at=line.starts_at,
            ends_at=line.ends_at,
            open_from_at=line.open_from_at,
            time_zone=line.workspace.time_zone,
        )

    @property
    def metering(self) -> Aggregation:
        """The aggregation of the line's brick with its properties."""
        return OF_BRICKS[self.aggregation]

    @property
    def life(self) -> Life:
        """The start and end of the line, in its workspace's time zone."""
        zone = ZoneInfo(self.time_zone)
        return LocalMoment(self.starts_at, zone), LocalMoment(self.ends_at, zone) if self.ends_at else None

    def is_active(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


def accept(found: Sequence[LineFacts], *, quantity: Decimal, occurred_at: datetime) -> LineFacts:
    """Return the line that takes a quantity at a moment, among those of an address. Hard limits are not checked.

    Raises ``LineNotFound`` if there is no line or more than one would take it, ``LineNotMetered``, ``OutsideLine`` if
    none is active at the moment, and ``QuantityRefused`` if the quantity is negative and the line's must not be.
    """
    if not found:
        raise LineNotFound("There is no such line.")
    if found[0].metering.takes_events:
        raise LineNotMetered("This line counts events: it takes no usage of its own.")
    if not found[0].metering.takes_usage:
        raise LineNotMetered("This line is not metered: it takes no usage.")
    active = [line for line in found if line.is_active(occurred_at)]
    if not active:
        raise OutsideLine(line.life for line in found)
    if len(active) > 1:
        raise LineNotFound("This subscription has several lines that take usage: give one of them.")
    if quantity < 0 and not active[0].metering.may_be_negative:
        raise QuantityRefused(f"A {active[0].metering.short_label} can't be negative.")
    return active[0]


_TAKES_USAGE = """{line}.starts_at <= %s AND ({line}.ends_at IS NULL OR {line}.ends_at > %s)
    AND {brick}.aggregation IN {takes_usage}"""


def takes_usage_at(*, line: str, brick: str, moment: Any) -> tuple[str, list[Any]]:
    """Return the condition that a line of these aliases is active at a moment and takes usage, whatever its quantity.

    ``moment`` is as the driver takes it.
    """
    condition = _TAKES_USAGE.format(line=line, brick=brick, takes_usage=sql_names("takes_usage"))
    return condition, [moment, moment]


def condition(*, quantity: Decimal, moment: Any) -> tuple[str, list[Any]]:
    """Return the condition on ``line`` and ``brick`` under which the line takes a quantity at a moment.

    ``moment`` is adapted for the driver. The condition of the address has to ensure that it matches only one line.
    """
    takes_usage, moments = takes_usage_at(line="line", brick="brick", moment=moment)
    may_be_negative = f"brick.aggregation IN {sql_names('may_be_negative')}"
    return f"{takes_usage} AND ({may_be_negative} OR NOT %s)", [*moments, quantity < 0]
