"""Read the cutoff for closing, and find usage that prevents a line from ending."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import Max

from billing.models import Line
from usage.ahead import ahead_from
from usage.models import UsageRecord


def last_id(*, workspace_id: int) -> int:
    """Return the highest ledger id of a workspace, the cutoff of every line on which the caller holds closing's lock.

    0 if the workspace has no record.
    """
    return UsageRecord.objects.filter(workspace_id=workspace_id).aggregate(last=Max("id"))["last"] or 0


def objection_to_ending(line: Line, ends_at: datetime, as_of: datetime | None) -> ValidationError | None:
    """Return the objection to ending a line at a moment, None if there is none: usage after it would no longer count.

    Usage that is dated in the future as of ``as_of`` is not an objection: it stays in the ledger, and is shown on the
    subscription.
    """
    later = UsageRecord.objects.live().filter(workspace_id=line.workspace_id, line=line, occurred_at__gte=ends_at)
    if as_of is not None:
        later = later.filter(occurred_at__lte=ahead_from(as_of))
    last = later.order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    if last is None:
        return None
    return ValidationError(
        "Usage was recorded up to %(last)s: retract it first.", params={"last": line.workspace.local(last)}
    )
