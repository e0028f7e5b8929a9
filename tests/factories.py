"""Factories for test rows, made through the domain where it has a function for it. Defaults hold no surprises."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing import actors, catalog, contracts, parties
from billing.actors import Actor
from billing.calendar import midnight
from billing.keys import create_key
from billing.models import Brick, Customer, Line, NumberSeries, Price, Subscription, Workspace
from billing.rating import Tier
from usage import ledger
from usage.commands import KEEP, CorrectUsage, LineByNumber, Origin, RecordById, RecordUsage, ReportEvent, RetractUsage
from usage.metering import EVENTS
from usage.models import UsageRecord


def actor(label: str = "tests") -> Actor:
    """Return an actor under whose label tests write: a command, of which no row is needed."""
    return actors.command("tests").on_behalf_of(label)


ACTOR = actor()


def workspace(
    code: str = "acme",
    *,
    time_zone: str = "UTC",
    currency: str = "USD",
    next_line_number: int = 1,
    **fields: Any,
) -> Workspace:
    made = parties.create_workspace(
        code=code, name=code.title(), time_zone=time_zone, currency=currency, **fields, actor=ACTOR
    )
    NumberSeries.objects.filter(workspace__code=code, kind="line").update(next_sequence=next_line_number)
    return made


def api_key(owner: Workspace, *, text: str | None = None) -> str:
    return create_key(workspace=owner, name="a service", actor=actor("tests"), text=text)[1]


def customer(owner: Workspace, name: str = "Globex", **fields: Any) -> Customer:
    return parties.create_customer(workspace=owner, name=name, **fields, actor=ACTOR)


def brick(owner: Workspace, name: str = "API calls", aggregation: str = "sum", **fields: Any) -> Brick:
    if aggregation == EVENTS.name:
        # Without a rule yet: ``event_brick`` adds one.
        return Brick.objects.create(workspace=owner, name=name, aggregation=aggregation, **fields)
    return catalog.create_brick(
        workspace=owner, name=name, aggregation=aggregation, as_of=moment("2026-01-01"), **fields, actor=ACTOR
    )


def event_brick(
    owner: Workspace,
    name: str = "Messages",
    *,
    event_type: str = "message-sent",
    aggregation: str = "count",
    as_of: str = "2026-01-01",
    **terms: Any,
) -> Brick:
    """Return a brick that counts events: all messages, unless the rule's ``terms`` differ."""
    rule = catalog.EventTerms(event_type=event_type, aggregation=aggregation, **terms)
    return catalog.create_brick(
        workspace=owner, name=name, aggregation=EVENTS.name, rule=rule, as_of=moment(as_of), actor=ACTOR
    )


def price(
    of: Brick,
    unit_price: str = "2",
    *,
    model: str = "per_unit",
    tiers: Sequence[tuple[str | None, str, str]] = (),
    currency: str | None = None,
) -> Price:
    return catalog.create_price(
        brick=of,
        name=f"{of.name} {model}",
        model=model,
        currency=currency or of.workspace.currency,
        unit_price=Decimal(0) if tiers else Decimal(unit_price),
        tiers=[
            Tier(up_to=None if up_to is None else Decimal(up_to), unit_price=Decimal(unit), fee=Decimal(fee))
            for up_to, unit, fee in tiers
        ],
        actor=ACTOR,
    )


def subscription(
    of: Customer,
    *,
    starts_on: date = date(2026, 1, 1),
    ends_on: date | None = None,
    anchor_on: date | None = None,
    **fields: Any,
) -> Subscription:
    tz = of.workspace.tz
    return contracts.create_subscription(
        customer=of,
        starts_at=midnight(starts_on, tz=tz),
        ends_at=None if ends_on is None else midnight(ends_on, tz=tz),
        anchor_on=anchor_on or starts_on,
        **fields,
        actor=ACTOR,
    )


def line(
    owner: Workspace | None = None,
    *,
    aggregation: str = "sum",
    unit_price: str = "2",
    model: str = "per_unit",
    tiers: Sequence[tuple[str | None, str, str]] = (),
    starts_on: date = date(2026, 1, 1),
    **fields: Any,
) -> Line:
    """Return a line at $2 a unit, with its own workspace, customer, brick and monthly subscription."""
    owner = owner or workspace()
    what = brick(owner, aggregation=aggregation)
    agreed = subscription(customer(owner), starts_on=starts_on, **fields)
    return contracts.add_line(
        subscription=agreed, brick=what, price=price(what, unit_price, model=model, tiers=tiers), actor=ACTOR
    )


def counting_line(of: Customer, what: Brick, unit_price: str = "2", **fields: Any) -> Line:
    """Return a line of a brick that counts events, at $2 an event, in its own monthly subscription."""
    return contracts.add_line(
        subscription=subscription(of, **fields), brick=what, price=price(what, unit_price), actor=ACTOR
    )


def moment(text: str, *, tz: str = "UTC") -> datetime:
    """Return a moment from local time: '2026-01-31 12:00'."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).astimezone(UTC)


def use(
    of: Line,
    quantity: str,
    at: str,
    *,
    key: str | None = None,
    source: str = "api",
    dialect: str = "piriod",
    recorded_at: str | None = None,
    tz: str = "UTC",
) -> ledger.Recorded:
    return ledger.record(
        command=RecordUsage(
            origin=Origin(workspace_id=of.workspace_id, source=source, dialect=dialect, recorded_by="tests"),
            address=LineByNumber(of.number),
            quantity=Decimal(quantity),
            occurred_at=moment(at, tz=tz),
            key=key,
        ),
        recorded_at=moment(recorded_at or at, tz=tz),
    )


def event(
    owner: Workspace,
    alias: str,
    at: str,
    *,
    event_type: str = "message-sent",
    key: str | None = None,
    supersedes: bool = True,
    dialect: str = "sequence",
    recorded_at: str | None = None,
    tz: str = "UTC",
    **properties: Any,
) -> ledger.RecordedEvent:
    return ledger.report_event(
        command=ReportEvent(
            origin=Origin(workspace_id=owner.pk, source="api", dialect=dialect, recorded_by="tests"),
            customer_alias=alias,
            event_type=event_type,
            occurred_at=moment(at, tz=tz),
            key=key,
            properties=properties,
            supersedes=supersedes,
        ),
        recorded_at=moment(recorded_at or at, tz=tz),
    )


def fix(
    record: ledger.Recorded,
    quantity: str | None = None,
    *,
    at: str | None = None,
    recorded_at: str = "2026-06-01",
) -> ledger.Recorded:
    """Correct a record in the panel."""
    return ledger.correct(
        command=CorrectUsage(
            origin=_panel(record),
            target=RecordById(record.handle),
            quantity=KEEP if quantity is None else Decimal(quantity),
            occurred_at=KEEP if at is None else moment(at),
            note="typing error",
        ),
        recorded_at=moment(recorded_at),
    )


def take_back(record: ledger.Recorded, *, recorded_at: str = "2026-06-01") -> ledger.Recorded:
    """Retract a record in the panel."""
    return ledger.retract(
        command=RetractUsage(origin=_panel(record), target=RecordById(record.handle), note="entered twice"),
        recorded_at=moment(recorded_at),
    )


def _panel(record: ledger.Recorded) -> Origin:
    workspace_id = Line.objects.values_list("workspace_id", flat=True).get(pk=record.line_id)
    return Origin(workspace_id=workspace_id, source="panel", dialect="panel", recorded_by="finance")


def fix_event(event: ledger.RecordedEvent, *, recorded_at: str = "2026-06-01", **changes: Any) -> ledger.RecordedEvent:
    """Correct an event in the panel."""
    command = CorrectUsage(
        origin=_panel_of_event(event), target=RecordById(event.handle), note="typing error", **changes
    )
    return ledger.correct_event(command=command, recorded_at=moment(recorded_at))


def take_event_back(event: ledger.RecordedEvent, *, recorded_at: str = "2026-06-01") -> ledger.RecordedEvent:
    """Retract an event in the panel."""
    command = RetractUsage(origin=_panel_of_event(event), target=RecordById(event.handle), note="sent in error")
    return ledger.retract_event(command=command, recorded_at=moment(recorded_at))


def _panel_of_event(event: ledger.RecordedEvent) -> Origin:
    workspace_id = UsageRecord.objects.values_list("workspace_id", flat=True).get(pk=event.id)
    return Origin(workspace_id=workspace_id, source="panel", dialect="panel", recorded_by="finance")
