"""What reported usage is of: many customers of one brick, each with a subscription, its line and an alias."""

from dataclasses import dataclass

from billing import contracts, keys, parties
from billing.models import Line, Workspace
from tests import factories as make

LINES = 500


@dataclass(frozen=True)
class Setting:
    workspace: Workspace
    key: str
    lines: list[Line]

    def line(self, n: int) -> Line:
        """Return the n-th record's line: many services report at the same time, not one."""
        return self.lines[n % len(self.lines)]


def build(code: str) -> Setting:
    workspace = parties.create_workspace(code=code, name=code, time_zone="UTC", currency="USD")
    _, key = keys.create_key(workspace=workspace, name="bench", created_by="bench")
    brick = make.brick(workspace)
    price = make.price(brick)
    lines = [
        contracts.add_line(
            subscription=make.subscription(make.customer(workspace, aliases=[alias_of(n)])),
            brick=brick,
            price=price,
            reference=f"item-{n}",
        )
        for n in range(LINES)
    ]
    return Setting(workspace, key, lines)


def alias_of(n: int) -> str:
    return f"customer-{n % LINES}"


def moment_of(n: int) -> str:
    return f"2026-01-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00Z"
