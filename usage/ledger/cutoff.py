"""Tell closing up to where the ledger is complete, and contracts what keeps a line from ending."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import Max

from billing.models import Line
from usage.ahead import ahead_from
from usage.models import UsageRecord


def last_id(*, workspace_id: int) -> int:
    """Return the highest ledger id of a workspace: the cutoff of every line on which the caller holds closing's lock.

    0 where the workspace has no record.
    """
    return UsageRecord.objects.filter(workspace_id=workspace_id).aggregate(last=Max("id"))["last"] or 0


def objection_to_ending(line: Line, ends_at: datetime, as_of: datetime | None) -> ValidationError | None:
    """Return why a line may not end at a moment, None where it may: usage recorded after it would count no longer.

    Usage that is dated in the future as of ``as_of`` is no objection: it counts in no period that is closed soon, and
    stays in the ledger, shown on the subscription.
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
