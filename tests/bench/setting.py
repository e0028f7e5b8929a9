"""Many customers of one brick, each with a subscription, its line and an alias."""

from dataclasses import dataclass

from django.db import connection

from billing import contracts, keys, parties
from billing.models import Customer, Line, Subscription, Workspace
from tests import factories as make
from tests.skewed import copy_rows


@dataclass(frozen=True)
class Setting:
    workspace: Workspace
    key: str
    lines: list[Line]

    def line(self, n: int) -> Line:
        """Return the n-th record's line, in turn: many services report at the same time, not one."""
        return self.lines[n % len(self.lines)]

    def alias(self, n: int) -> str:
        """Return an alias of that line's customer."""
        return f"customer-{n % len(self.lines)}"


def build(code: str, *, lines: int) -> Setting:
    workspace = parties.create_workspace(code=code, name=code, time_zone="UTC", currency="USD", actor=make.ACTOR)
    _, key = keys.create_key(workspace=workspace, name="bench", actor=make.actor("bench"))
    brick = make.brick(workspace)
    price = make.price(brick)
    agreed = [
        contracts.add_line(
            subscription=make.subscription(make.customer(workspace, aliases=[f"customer-{n}"])),
            brick=brick,
            price=price,
            reference=f"item-{n}",
            actor=make.ACTOR,
        )
        for n in range(lines)
    ]
    analyse()
    return Setting(workspace, key, agreed)


def add_lines(setting: Setting, count: int) -> None:
    """Add lines without usage, each in its own subscription."""
    line = setting.lines[0]
    drawn = f"md5('{setting.workspace.code} {{}} ' || n)::uuid"
    customer, subscription = drawn.format("c"), drawn.format("s")
    copy_rows(Customer, of=line.subscription.customer_id, count=count, id=customer, reference="NULL")
    copy_rows(Subscription, of=line.subscription_id, count=count, id=subscription, customer_id=customer)
    copy_rows(Line, of=line.pk, count=count, subscription_id=subscription, number=f"{10**6} + n", reference="NULL")
    analyse()


def analyse() -> None:
    """Update the planner's statistics, as autovacuum does in production."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def moment_of(n: int) -> str:
    return f"2026-01-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00Z"
