"""The demo workspace: a few customers, bricks of each kind, two closed and issued months and a running one.

Everything in it goes through the same doors as real data. Its secrets are derived from the installation's SECRET_KEY:
they can be shown again and again, and nobody else knows them.
"""

import base64
import random
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.utils.crypto import salted_hmac

from billing import catalog, contracts, invoicing, keys, parties
from billing.calendar import midnight
from billing.catalog import EventTerms
from billing.models import Brick, Customer, Line, Price, Subscription, Workspace
from billing.rating import FLAT, GRADUATED, PER_UNIT, VOLUME, Tier
from billing.storage import timeouts
from usage import closing, ledger
from usage.commands import CorrectUsage, LineByNumber, Origin, RecordById, RecordUsage, ReportEvent
from usage.metering import EVENTS, NOT_METERED, SUM, TOTAL, UNIT_DAYS

CODE = "acc_demo"
TIME_ZONE = "Europe/Berlin"
ROLES = {"admin": "administrator", "finance": "finance"}
# What finance does: everything in billing and usage but handing out keys and opening workspaces.
NOT_FINANCE = {"apikey", "workspace"}


@dataclass(frozen=True)
class Product:
    name: str
    aggregation: str
    unit_label: str
    model: str
    unit_price: str = "0"
    tiers: tuple[tuple[str | None, str, str], ...] = ()
    rule: EventTerms | None = None


CALLS = Product(
    "API calls",
    SUM.name,
    "calls",
    GRADUATED.name,
    tiers=(("10000", "0.002", "0"), ("50000", "0.0015", "0"), (None, "0.001", "0")),
)
MESSAGES = Product("Messages", SUM.name, "messages", PER_UNIT.name, "0.045")
STORAGE = Product(
    "Storage transfer",
    SUM.name,
    "GB",
    VOLUME.name,
    tiers=(("100", "0.12", "5"), ("1000", "0.09", "5"), (None, "0.07", "0")),
)
SEATS = Product("Seats", UNIT_DAYS.name, "seats", PER_UNIT.name, "2")
SUPPORT = Product("Support plan", NOT_METERED.name, "period", FLAT.name, "149")
MEDIA = Product(
    "Media processing",
    EVENTS.name,
    "minutes",
    PER_UNIT.name,
    "0.03",
    rule=EventTerms("media-processed", TOTAL.name, "minutes", filters={"preview": ["true"]}, negated=("preview",)),
)
PRODUCTS = (CALLS, MESSAGES, STORAGE, SEATS, SUPPORT, MEDIA)

# Customer -> interval, day of the month that its periods begin on, what it buys.
CUSTOMERS: dict[str, tuple[str, int, tuple[Product, ...]]] = {
    "Globex Logistics": (Subscription.Interval.MONTHLY, 1, (CALLS, SEATS, SUPPORT)),
    "Initech GmbH": (Subscription.Interval.MONTHLY, 1, (CALLS, STORAGE)),
    "Umbra Analytics": (Subscription.Interval.MONTHLY, 1, (MESSAGES, SEATS)),
    "Stark & Daughters": (Subscription.Interval.MONTHLY, 15, (CALLS, MESSAGES, SUPPORT)),
    "Vandelay Imports": (Subscription.Interval.QUARTERLY, 1, (STORAGE, SEATS)),
    "Hooli Streams": (Subscription.Interval.MONTHLY, 1, (MEDIA, SUPPORT)),
}
# The name that the services which send events know it by.
EVENTS_CUSTOMER, ALIAS = "Hooli Streams", "hooli"


def secret(name: str) -> str:
    """Return the demo's secret of that name, the same each time on one installation."""
    return salted_hmac("arrears.demo", name, algorithm="sha256").hexdigest()[:32]


def find() -> Workspace | None:
    """Return the demo's live workspace, None where it was not loaded."""
    return Workspace.objects.filter(code=CODE, mode=Workspace.Mode.LIVE).first()


@transaction.atomic
def load(*, as_of: datetime) -> Workspace:
    """Make the demo workspace as it would stand at ``as_of``, or return it unchanged where it exists."""
    if existing := find():
        return existing
    timeouts.allow(settings.JOB_STATEMENT_SECONDS)
    live = parties.create_workspace(code=CODE, name="Northwind Cloud", time_zone=TIME_ZONE, currency="USD")
    _make_logins()
    for workspace in (live, live.twin):
        keys.create_key(workspace=workspace, name="Demo service", created_by="demo", text=_key_text(workspace))
    _fill_twin(live.twin, as_of)
    _fill_live(live, as_of)
    return live


def _make_logins() -> None:
    """Make the people of the demo. Those and the group that are there by these names are somebody's, and left alone."""
    taken = set(User.objects.filter(username__in=ROLES).values_list("username", flat=True))
    for username in ROLES.keys() - taken:
        is_admin = username == "admin"
        user = User.objects.create_user(username, password=_password(username), is_staff=True, is_superuser=is_admin)
        if not is_admin:
            user.groups.add(_finance_group())


def _finance_group() -> Group:
    group, is_new = Group.objects.get_or_create(name="Finance (demo)")
    if is_new:
        allowed = Permission.objects.filter(content_type__app_label__in=["billing", "usage"])
        viewing = allowed.filter(content_type__model__in=NOT_FINANCE, codename__startswith="view_")
        group.permissions.set([*allowed.exclude(content_type__model__in=NOT_FINANCE), *viewing])
    return group


def _password(username: str) -> str:
    """Return a password of 128 bits: nobody types it, and a demo may be reached by others."""
    return secret(f"password of {username}")


def _key_text(workspace: Workspace) -> str:
    return f"ark_{workspace.mode}_{secret(f'key of {workspace.mode}')}"


def _months(as_of: datetime) -> tuple[date, date]:
    """Return the first days of the month before last and of this one, in the demo's time zone."""
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
            id=_id(workspace, f"subscription {number}"),
            customer=customer,
            starts_at=midnight(first, tz=workspace.tz),
            anchor_on=first.replace(day=day),
            interval=interval,
            reference=f"SUB-{1000 + number}",
        )
        for product in products:
            brick, price = sold[product.name]
            reference = f"item-{number}-{product.name.split()[0].lower()}"
            lines.append(contracts.add_line(subscription=subscription, brick=brick, price=price, reference=reference))
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
        id=_id(workspace, "subscription 1"),
        customer=_make_customer(workspace, "Test customer", 1),
        starts_at=midnight(first, tz=workspace.tz),
        anchor_on=first,
        reference="TEST-1001",
    )
    for product in (CALLS, SEATS):
        brick, price = sold[product.name]
        contracts.add_line(subscription=subscription, brick=brick, price=price)


def _make_products(workspace: Workspace, as_of: datetime) -> dict[str, tuple[Brick, Price]]:
    sold = {}
    for product in PRODUCTS:
        brick = catalog.create_brick(
            id=_id(workspace, f"brick {product.name}"),
            workspace=workspace,
            name=product.name,
            aggregation=product.aggregation,
            unit_label=product.unit_label,
            rule=product.rule,
            as_of=as_of,
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
        )
        sold[product.name] = (brick, price)
    return sold


def _make_customer(workspace: Workspace, name: str, number: int) -> Customer:
    return parties.create_customer(
        id=_id(workspace, f"customer {number}"),
        workspace=workspace,
        name=name,
        reference=f"CUST-{100 + number}",
        email=f"billing@{name.split()[0].lower()}.example",
        aliases=[ALIAS] if name == EVENTS_CUSTOMER else [],
    )


def _id(workspace: Workspace, name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"arrears:{workspace.code}:{workspace.mode}:{name}")


def _use(line: Line, rng: random.Random, *, since: datetime, until: datetime) -> None:
    """Report a line's usage every two days or so."""
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
    run = closing.start(workspace=workspace, until_at=until_at, by="finance", as_of=morning)
    run = closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: morning)
    invoicing.approve(run=run, by="admin", as_of=morning + timedelta(hours=1))
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: morning + timedelta(hours=1))


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


def facts() -> dict[str, Any]:
    """Return what scripts and newcomers need to try the demo: logins, and per dialect where to send what."""
    live = Workspace.objects.select_related("twin").get(code=CODE, mode=Workspace.Mode.LIVE)
    ids, twin_ids = _ids(live), _ids(live.twin)
    return {
        "workspace": live.code,
        "admin": f"/admin/?workspace={live.pk}",
        "logins": [
            {"username": user.username, "password": _password(user.username), "role": ROLES[user.username]}
            for user in User.objects.filter(username__in=ROLES).order_by("username")
            if user.check_password(_password(user.username))
        ],
        "dialects": {
            "piriod": {
                "base_url": "/piriod",
                "headers": {
                    "Authorization": f"Token {_usable_key(live)}",
                    "x-simple-workspace": live.code,
                },
                "test_mode_header": {"x-piriod-test-mode": "true"},
                "subscription_line": ids["counter_line"],
                "gauge_subscription_line": ids["gauge_line"],
                "test_subscription_line": twin_ids["counter_line"],
            },
            "salesbricks_v2": {
                "base_url": "/salesbricks/api/v2",
                "headers": {"X-SALESBRICKS-KEY": _usable_key(live)},
                "subscription_id": ids["subscription"],
                "counter_brick_id": ids["counter_brick"],
                "gauge_brick_id": ids["gauge_brick"],
                "test_headers": {"X-SALESBRICKS-KEY": _usable_key(live.twin)},
                "test_subscription_id": twin_ids["subscription"],
            },
            "salesbricks_v1": {
                "base_url": "/salesbricks/api/v1",
                "headers": {"X-SALESBRICKS-KEY": _usable_key(live)},
                "subscription_id": ids["subscription"],
                "counter_brick_id": ids["counter_brick"],
                "gauge_brick_id": ids["gauge_brick"],
            },
            "rebilly": {
                "base_url": f"/rebilly/organizations/{live.code}",
                "headers": {"REB-APIKEY": _usable_key(live)},
                "subscription_id": ids["counter_reference"],
            },
            "sequence": {
                "base_url": "/sequence/api",
                "headers": {"Authorization": f"Basic {_basic(_usable_key(live))}"},
                "customer_alias": ALIAS,
                "event_type": "media-processed",
                "property": "minutes",
            },
            "native": {
                "base_url": "/api",
                "headers": {"Authorization": f"Bearer {_usable_key(live)}"},
                "line": ids["counter_line"],
                "line_reference": ids["counter_reference"],
                "customer_alias": ALIAS,
                "event_type": "media-processed",
            },
        },
    }


def _ids(workspace: Workspace) -> dict[str, Any]:
    subscription = workspace.subscriptions.get(pk=_id(workspace, "subscription 1"))
    by_brick = {line.brick.name: line for line in subscription.lines.select_related("brick")}
    return {
        "subscription": str(subscription.pk),
        "counter_line": by_brick[CALLS.name].number,
        "counter_reference": by_brick[CALLS.name].reference,
        "gauge_line": by_brick[SEATS.name].number,
        "counter_brick": str(by_brick[CALLS.name].brick_id),
        "gauge_brick": str(by_brick[SEATS.name].brick_id),
    }


def _basic(key: str | None) -> str | None:
    """Return the credentials as a client sends them that names its key as the secret."""
    return None if key is None else base64.b64encode(f"{CODE}:{key}".encode()).decode()


def _usable_key(workspace: Workspace) -> str | None:
    """Return the demo key's text, or None where it was revoked or SECRET_KEY has changed since."""
    text = _key_text(workspace)
    return text if workspace.api_keys.filter(digest=keys.digest(text), revoked_at=None).exists() else None
