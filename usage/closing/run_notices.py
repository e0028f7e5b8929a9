"""Notices of a run that are on no invoice: late usage that changes no amount, of subscriptions without a draft."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.documents import moment
from billing.invoicing import DraftInvoice, DraftLine
from billing.models import CloseRun, Line, Subscription


@dataclass(frozen=True, slots=True)
class Notice:
    """Notices of a line's usage in a closed period, whose billed price does not change."""

    subscription: Subscription
    line: Line
    description: str
    starts_at: datetime
    ends_at: datetime
    surprises: Sequence[str]


def keep_notices(*, run: CloseRun, drafts: Iterable[DraftInvoice]) -> None:
    """Store the notices of the drafts that don't become invoices with the run's items."""
    told: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for draft in drafts:
        if not draft.is_billed:
            told[draft.subscription_id] += [_kept(line) for line in draft.lines if line.surprises]
    items = list(run.items.filter(subscription__in=[pk for pk, kept in told.items() if kept]))
    for item in items:
        item.notices = told[item.subscription_id]
    run.items.bulk_update(items, ["notices"])


def _kept(line: DraftLine) -> dict[str, Any]:
    return {
        "line_id": line.line_id,
        "description": line.description,
        "starts_at": moment(line.period.starts_at),
        "ends_at": moment(line.period.ends_at),
        "surprises": line.surprises,
    }


def notices_of_run(run: CloseRun, *, most: int) -> list[Notice]:
    """Return, in order, the first ``most`` notices of a run that are on no invoice; two queries."""
    items = run.items.exclude(notices=[]).select_related("subscription__customer").order_by("id")[:most]
    kept = [(item.subscription, told) for item in items for told in item.notices][:most]
    lines = Line.objects.filter(workspace=run.workspace_id).in_bulk({told["line_id"] for _, told in kept})
    return [
        Notice(
            subscription=subscription,
            line=lines[told["line_id"]],
            description=told["description"],
            starts_at=datetime.fromisoformat(told["starts_at"]),
            ends_at=datetime.fromisoformat(told["ends_at"]),
            surprises=told["surprises"],
        )
        for subscription, told in kept
    ]
