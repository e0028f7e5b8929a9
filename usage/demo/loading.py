"""Load the demo: two closed and issued months, and a running one with late and corrected usage.

All of it is created by the same functions as real data.
"""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction

from billing import actors, catalog, contracts, invoicing, keys, parties
from billing.calendar import midnight
from billing.models import Brick, Customer, Line, Price, Workspace
from billing.rating import Tier
from billing.storage import timeouts
from usage import closing, ledger
from usage.commands import CorrectUsage, LineByNumber, Origin, RecordById, RecordUsage, ReportEvent
from usage.demo.data import (
    ALIAS,
    CALLS,
    CODE,
    CUSTOMERS,
    EVENTS_CUSTOMER,
    NOT_FINANCE,
    PRODUCTS,
    ROLES,
    SEATS,
    TIME_ZONE,
    find,
    id_of,
    key_of,
    password_of,
)

_ACTOR = actors.command("demo")


@transaction.atomic
def load(*, as_of: datetime) -> Workspace:
    """Create the demo workspace as of ``as_of``, and return it; if it already exists, it is not changed."""
    if existing := find():
        return existing
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    live = parties.create_workspace(
        code=CODE, name="Northwind Cloud", time_zone=TIME_ZONE, currency="USD", actor=_ACTOR
    )
    _make_logins()
    for workspace in (live, live.twin):
        keys.create_key(workspace=workspace, name="Demo service", actor=_ACTOR, text=key_of(workspace))
    _fill_twin(live.twin, as_of)
    _fill_live(live, as_of)
    return live


def _make_logins() -> None:
    """Create the demo's logins. Existing users and groups with these names are not changed."""
    taken = set(User.objects.filter(username__in=ROLES).values_list("username", flat=True))
    for username in ROLES.keys() - taken:
        is_admin = username == "admin"
        user = User.objects.create_user(username, password=password_of(username), is_staff=True, is_superuser=is_admin)
        if not is_admin:
            user.groups.add(_finance_group())


def _finance_group() -> Group:
    group, is_new = Group.objects.get_or_create(name="Finance (demo)")
    if is_new:
        allowed = Permission.objects.filter(content_type__app_label__in=["billing", "usage"])
        viewing = allowed.filter(content_type__model__in=NOT_FINANCE, codename__startswith="view_")
        group.permissions.set([*allowed.exclude(content_type__model__in=NOT_FINANCE), *viewing])
    return group


def _months(as_of: datetime) -> tuple[date, date]:
    """Return the first days of the month before last and of the current month, in the demo's time zone."""
    this = as_of.astimezone(ZoneInfo(TIME_ZONE)).date().replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    return (last - timedelta(days=1)).replace(day=1), this


def _fill_live(workspace: Workspace, as_of: datetime) -> None:
    first, this = _months(as_of)
    sold = _make_products(workspace, as_of)
    lines: list[Line] = []
    for number, (name, (interval, day, products)) in enumerate(CUSTOMERS.items(), start=1):
        customer = _make_customer(workspace, name, number)
        subscription = contracts.create_subscription(
            id=id_of(workspace, f"subscription {number}"),
            customer=customer,
            starts_at=midnight(first, tz=workspace.tz),
            anchor_on=first.replace(day=day),
            interval=interval,
            reference=f"SUB-{1000 + number}",
            actor=_ACTOR,
        )
        for product in products:
            brick, price = sold[product.name]
            reference = f"item-{number}-{product.name.split()[0].lower()}"
            lines.append(
                contracts.add_line(
                    subscription=subscription, brick=brick, price=price, reference=reference, actor=_ACTOR
                )
            )
    closed_at = midnight(this, tz=workspace.tz)
    rng = random.Random(CODE)
    for line in lines:
        _use(line, rng, since=line.starts_at, until=closed_at)
    _close_and_issue(workspace, closed_at)
    for line in lines:
        _use(line, rng, since=closed_at, until=as_of)
    _change_the_past(lines, closed_at, as_of)


def _fill_twin(workspace: Workspace, as_of: datetime) -> None:
    first, _ = _months(as_of)
    sold = _make_products(workspace, as_of)
    subscription = contracts.create_subscription(
        id=id_of(workspace, "subscription 1"),
        customer=_make_customer(workspace, "Test customer", 1),
        starts_at=midnight(first, tz=workspace.tz),
        anchor_on=first,
        reference="TEST-1001",
        actor=_ACTOR,
    )
    for product in (CALLS, SEATS):
        brick, price = sold[product.name]
        contracts.add_line(subscription=subscription, brick=brick, price=price, actor=_ACTOR)


def _make_products(workspace: Workspace, as_of: datetime) -> dict[str, tuple[Brick, Price]]:
    sold = {}
    for product in PRODUCTS:
        brick = catalog.create_brick(
            id=id_of(workspace, f"brick {product.name}"),
            workspace=workspace,
            name=product.name,
            aggregation=product.aggregation,
            unit_label=product.unit_label,
            rule=product.rule,
            as_of=as_of,
            actor=_ACTOR,
        )
        price = catalog.create_price(
            brick=brick,
            name=f"{product.name}, list price",
            model=product.model,
            currency=workspace.currency,
            unit_price=Decimal(product.unit_price),
            tiers=[
                Tier(up_to=None if up_to is None else Decimal(up_to), unit_price=Decimal(each), fee=Decimal(fee))
                for up_to, each, fee in product.tiers
            ],
            actor=_ACTOR,
        )
        sold[product.name] = (brick, price)
    return sold


def _make_customer(workspace: Workspace, name: str, number: int) -> Customer:
    return parties.create_customer(
        id=id_of(workspace, f"customer {number}"),
        workspace=workspace,
        name=name,
        reference=f"CUST-{100 + number}",
        email=f"billing@{name.split()[0].lower()}.example",
        aliases=[ALIAS] if name == EVENTS_CUSTOMER else [],
        actor=_ACTOR,
    )


def _use(line: Line, rng: random.Random, *, since: datetime, until: datetime) -> None:
    """Report a line's usage about every two days."""
    if line.brick.metering.takes_events:
        _report_events(line, rng, since=since, until=until)
    elif line.brick.is_metered:
        _record(line, rng, since=since, until=until)


def _report_events(line: Line, rng: random.Random, *, since: datetime, until: datetime) -> None:
    at = since
    origin = Origin(line.workspace_id, source="api", dialect="sequence", recorded_by="Demo service")
    while (at := at + timedelta(minutes=rng.randint(500, 2500))) < until:
        minutes = Decimal(rng.randint(10, 9_000)).scaleb(-1)
        ledger.report_event(
            command=ReportEvent(
                origin=origin,
                customer_alias=ALIAS,
                event_type="media-processed",
                occurred_at=at,
                key=f"demo-{at:%Y%m%d%H%M}",
                properties={"minutes": minutes, "format": "mp4", "preview": rng.random() < 0.1},
                supersedes=True,
            ),
            recorded_at=at + timedelta(seconds=2),
        )


def _record(line: Line, rng: random.Random, *, since: datetime, until: datetime) -> None:
    at = since
    seats = rng.randint(3, 12)
    source, dialect, by = rng.choice(
        [("api", "piriod", "Demo service"), ("api", "salesbricks_v2", "Demo service"), ("panel", "panel", "finance")]
    )
    while (at := at + timedelta(minutes=rng.randint(1500, 4000))) < until:
        if line.brick.metering.stands_on:
            seats = max(1, seats + rng.randint(-2, 3))
            quantity = Decimal(seats)
        elif line.brick.unit_label == "GB":
            quantity = Decimal(rng.randint(2_000, 60_000)).scaleb(-3)
        else:
            quantity = Decimal(rng.randint(100, 4_000))
        ledger.record(
            command=RecordUsage(
                origin=Origin(workspace_id=line.workspace_id, source=source, dialect=dialect, recorded_by=by),
                address=LineByNumber(line.number),
                quantity=quantity,
                occurred_at=at,
                key=f"demo-{line.number}-{at:%Y%m%d%H%M}" if dialect == "salesbricks_v2" else None,
                note="from the monthly report" if source == "panel" else "",
            ),
            recorded_at=at + timedelta(seconds=2),
        )


def _close_and_issue(workspace: Workspace, until_at: datetime) -> None:
    morning = until_at + timedelta(hours=8)
    run = closing.start(workspace=workspace, until_at=until_at, actor=_ACTOR.on_behalf_of("finance"), as_of=morning)
    run = closing.work(workspace_id=run.workspace_id, run_id=run.pk, actor=_ACTOR, clock=lambda: morning)
    invoicing.approve(run=run, actor=_ACTOR.on_behalf_of("admin"), as_of=morning + timedelta(hours=1))
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, actor=_ACTOR, clock=lambda: morning + timedelta(hours=1))


def _change_the_past(lines: list[Line], closed_at: datetime, as_of: datetime) -> None:
    """Send a record late and correct another one, so that the upcoming invoices have differences to show."""
    by_api = Origin(workspace_id=lines[0].workspace_id, source="api", dialect="piriod", recorded_by="Demo service")
    by_hand = Origin(workspace_id=lines[0].workspace_id, source="panel", dialect="panel", recorded_by="finance")
    ledger.record(
        command=RecordUsage(
            origin=by_api,
            address=LineByNumber(lines[0].number),
            quantity=Decimal(850),
            occurred_at=closed_at - timedelta(hours=7),
        ),
        recorded_at=min(as_of, closed_at + timedelta(hours=31)),
    )
    wrong = lines[3].usage_records.filter(occurred_at__lt=closed_at).order_by("-occurred_at").first()
    if wrong is not None and wrong.quantity is not None:
        ledger.correct(
            command=CorrectUsage(
                origin=by_hand,
                target=RecordById(wrong.pk),
                quantity=wrong.quantity // 2,
                note="The export counted twice",
            ),
            recorded_at=min(as_of, closed_at + timedelta(hours=33)),
        )
