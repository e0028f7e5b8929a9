"""Customers with a subscription each, which counts usage of a line and events of a customer."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing import contracts, parties
from billing.keys import create_key
from billing.models import Brick, Line, Price, Workspace
from tests import factories as make

CUSTOMERS = 24
MONTHS = 5
TIME_ZONE = ZoneInfo("Europe/Berlin")
UNIT_PRICE, MINUTE_PRICE = Decimal("0.37"), Decimal("0.041")
EVENT_TYPE, PROPERTY = "media-processed", "minutes"
NOBODYS_NAME = "a-name-that-is-nobodys"
VOID = "VOID"


@dataclass(frozen=True)
class Target:
    """Identifiers of one customer, by vendor."""

    number: int
    line: int
    reference: str
    subscription: str
    brick: str


@dataclass(frozen=True)
class Setting:
    workspace_id: int
    code: str
    key: str
    targets: tuple[Target, ...]
    # First days of the months in use, and of the month after the last.
    months: tuple[date, ...]

    def window(self) -> tuple[datetime, datetime]:
        first, last = (datetime(day.year, day.month, 1, tzinfo=TIME_ZONE) for day in (self.months[0], self.months[-1]))
        return first.astimezone(UTC), last.astimezone(UTC)


def months_before(today: date) -> tuple[date, ...]:
    """Return the first days of past whole months, and of the month of ``today``."""
    days = [today.replace(day=1)]
    for _ in range(MONTHS):
        days.append((days[-1] - timedelta(days=1)).replace(day=1))
    return tuple(reversed(days))


def build(code: str, *, today: date, customers: int = CUSTOMERS) -> Setting:
    """Create a workspace whose subscriptions ended with the last whole month, so that any difference is billed."""
    months = months_before(today)
    workspace = parties.create_workspace(
        code=code, name=code, time_zone=TIME_ZONE.key, currency="USD", actor=make.ACTOR
    )
    _, key = create_key(workspace=workspace, name="faults", actor=make.actor("faults"))
    calls = make.brick(workspace, "Calls")
    minutes = make.event_brick(
        workspace,
        "Minutes",
        event_type=EVENT_TYPE,
        aggregation="sum",
        property=PROPERTY,
        as_of=f"{months[0]:%Y-%m-%d}",
    )
    prices = {brick: make.price(brick, str(each)) for brick, each in ((calls, UNIT_PRICE), (minutes, MINUTE_PRICE))}
    targets = tuple(_target(workspace, number, prices, months) for number in range(customers))
    return Setting(workspace.pk, code, key, targets, months)


def alias_of(number: int) -> str:
    return f"customer-{number}"


def _target(workspace: Workspace, number: int, prices: dict[Brick, Price], months: tuple[date, ...]) -> Target:
    customer = make.customer(workspace, f"Customer {number}", aliases=[alias_of(number)])
    subscription = make.subscription(customer, starts_on=months[0], ends_on=months[-1])
    lines: list[Line] = [
        contracts.add_line(
            subscription=subscription,
            brick=brick,
            price=price,
            reference=f"item-{number}-{brick.name.lower()}",
            actor=make.ACTOR,
        )
        for brick, price in prices.items()
    ]
    of_calls = lines[0]
    return Target(
        number,
        of_calls.number,
        str(of_calls.reference),
        str(subscription.pk),
        str(of_calls.brick_id),
    )
