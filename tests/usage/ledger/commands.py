"""The commands that tests of the ledger send, and what comes of them."""

from decimal import Decimal
from typing import Any

from billing.models import Line, Workspace
from tests import factories as make
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage, ReportEvent

NOW = make.moment("2026-02-20")


def origin_of(workspace: Workspace, dialect: str = "native") -> Origin:
    return Origin(workspace_id=workspace.pk, source="api", dialect=dialect, recorded_by="key ark_live_x")


def report(line: Line, quantity: str, at: str = "2026-01-10", **details: Any) -> RecordUsage:
    fields = {"origin": origin_of(line.workspace), "address": LineByNumber(line.number), **details}
    return RecordUsage(quantity=Decimal(quantity), occurred_at=make.moment(at), **fields)


def event(workspace: Workspace, alias: str, at: str = "2026-01-10", **details: Any) -> ReportEvent:
    fields = {"key": None, "properties": {"length": 3}, "supersedes": False, "event_type": "message-sent", **details}
    return ReportEvent(origin=origin_of(workspace), customer_alias=alias, occurred_at=make.moment(at), **fields)


Outcome = ledger.Recorded | ledger.RecordedEvent | ledger.UnableToRecord


def record_many(*commands: RecordUsage | ReportEvent) -> list[Any]:
    return ledger.record_many(commands=commands, recorded_at=NOW)


def record_each(*commands: RecordUsage | ReportEvent) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for command in commands:
        try:
            if isinstance(command, RecordUsage):
                outcomes.append(ledger.record(command=command, recorded_at=NOW))
            else:
                outcomes.append(ledger.report_event(command=command, recorded_at=NOW))
        except ledger.UnableToRecord as refusal:
            outcomes.append(refusal)
    return outcomes


def told(outcome: Any) -> Any:
    """Return the quantity that was recorded, or why none was."""
    return str(outcome) if isinstance(outcome, Exception) else outcome.quantity
