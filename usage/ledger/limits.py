"""Hard limits: what a line still takes in a period. Whoever adds to a bounded total does so alone."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Min

from billing.calendar import Interval, Period, coverage, full_period_at
from billing.limits import has_hard_limit, room
from billing.models import Line
from billing.money import format_decimal
from usage.ledger.errors import LimitReached
from usage.ledger.reading import last_id
from usage.metering import Window, measure
from usage.models import UsageRecord


def permitted(*, line_id: int, quantity: Decimal, occurred_at: datetime, accepts_part: bool) -> Decimal:
    """Return what of a quantity the line's hard limit lets be added; raise ``LimitReached``.

    That is the quantity, or as much of it as is left where a part is accepted. Until the caller's transaction ends,
    nobody else adds to the line's total. A quantity that is not above zero is always permitted.
    """
    # Measured after the lock is held, by another statement: what others have recorded meanwhile is in it.
    locked = Line.objects.select_for_update(of=("self",), no_key=True)
    line = locked.select_related("brick", "price", "subscription", "workspace").get(pk=line_id)
    if quantity <= 0 or not has_hard_limit(line):
        return quantity
    left = _left(line, quantity, occurred_at)
    if left == quantity or (accepts_part and left > 0):
        return left
    raise LimitReached(f"The limit of this line leaves {format_decimal(left)} in the period.", left=left)


def check_change(*, line: Line, former: UsageRecord, quantity: Decimal, occurred_at: datetime) -> None:
    """Raise ``LimitReached`` where a correction adds more to a period than the line's hard limit leaves.

    The caller has locked the line against other changes. What lowers a total, or keeps it, is always permitted.
    """
    if not has_hard_limit(line):
        return
    was_in_period = _covered(line, former.occurred_at) == _covered(line, occurred_at)
    added = quantity - former.quantity if was_in_period and former.quantity is not None else quantity
    permitted(line_id=line.pk, quantity=added, occurred_at=occurred_at, accepts_part=False)


def _left(line: Line, wanted: Decimal, occurred_at: datetime) -> Decimal:
    covered = _covered(line, occurred_at)
    if covered is None:
        # The line has ended meanwhile; that is for others to say.
        return wanted
    window = Window(
        aggregation=line.brick.aggregation,
        line_id=line.pk,
        starts_at=covered.starts_at,
        ends_at=covered.ends_at,
        cutoff=last_id(),
    )
    (used,) = measure([window])
    full = _full_period(line, occurred_at)
    return room(
        line=line,
        used=used.quantity,
        wanted=wanted,
        coverage=coverage(covered=covered, full=full, tz=line.workspace.tz, followed_at=_followed_at(line)),
    )


def _followed_at(line: Line) -> datetime | None:
    """Return when the next line of a brick begins: of a line that ends, and where days can matter."""
    if line.ends_at is None or line.hard_limit_amount is None:
        return None
    later = Line.objects.not_voided().filter(
        workspace_id=line.workspace_id,
        subscription_id=line.subscription_id,
        brick_id=line.brick_id,
        starts_at__gte=line.ends_at,
    )
    return later.aggregate(first=Min("starts_at"))["first"]


def _covered(line: Line, moment: datetime) -> Period | None:
    """Return the part of a billing period in which the line is active: what is measured and billed as one."""
    return _full_period(line, moment).intersect(line.starts_at, line.ends_at)


def _full_period(line: Line, moment: datetime) -> Period:
    subscription = line.subscription
    return full_period_at(
        moment,
        anchor_on=subscription.anchor_on,
        interval=Interval(subscription.interval),
        tz=line.workspace.tz,
    )
