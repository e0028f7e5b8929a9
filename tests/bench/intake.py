"""Single-record requests of each dialect, in turns with a bare view that makes one INSERT on the same server and
database.
"""

import json
import statistics
from base64 import b64encode
from collections.abc import Callable
from itertools import count

from tests.bench.load import Target, requests_a_second
from tests.bench.report import Row
from tests.bench.server import BARE, BEHIND, PROGRAM, serving
from tests.bench.setting import Setting, build, moment_of
from tests.bench.size import Size

_INCREMENT = """
mutation ($timestamp: DateTime!, $subscriptionId: String!, $brickId: String!, $count: Int!) {
  incrementCounter(timestamp: $timestamp, subscriptionId: $subscriptionId, brickId: $brickId, count: $count) { success }
}
"""


def run(size: Size) -> list[Row]:
    """Measure every dialect in turns with the limit. Report the median of the rounds' ratios."""
    setting = build("intake", lines=size.lines)
    with (
        serving(PROGRAM, "config.settings") as ours,
        serving(BARE, "tests.bench.bare_settings") as limit,
    ):
        rows = [_row(name, make(setting), ours, _bare(setting), limit, size=size) for name, make in TARGETS.items()]
    with serving(PROGRAM, "config.settings") as ours, serving(BEHIND, "config.settings") as behind:
        target = _piriod(setting)
        front = _row(
            "Piriod, with the front against without", target, ours, target, behind, to_reach=">= 0.95", size=size
        )
    return [*rows, front]


def _row(
    name: str, target: Target, ours: int, bare: Target, limit: int, *, size: Size, to_reach: str = ">= 0.5"
) -> Row:
    numbers = count(1, 10_000_000)
    for one, port in ((target, ours), (bare, limit)):
        requests_a_second(one, port=port, seconds=size.seconds / 3, first=next(numbers))
    rounds = [
        (
            requests_a_second(target, port=ours, seconds=size.seconds, first=next(numbers)),
            requests_a_second(bare, port=limit, seconds=size.seconds, first=next(numbers)),
        )
        for _ in range(size.rounds)
    ]
    mine, theirs = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds)
    return Row(f"intake, {name}", f"{mine:,.0f} /s", f"{theirs:,.0f} /s", f"{ratio:.2f}", to_reach)


def _piriod(setting: Setting) -> Target:
    return Target(
        path="/piriod/usages/",
        headers={"Authorization": f"Token {setting.key}", "x-simple-workspace": setting.workspace.code},
        body=lambda n: (
            f'{{"subscription_line": {setting.line(n).number}, "date_time": "{moment_of(n)}",'
            f' "quantity": {n % 100}.25}}'
        ),
    )


def _salesbricks_v1(setting: Setting) -> Target:
    query = json.dumps(_INCREMENT)
    return Target(
        path="/salesbricks/api/v1/usage",
        headers={"X-SALESBRICKS-KEY": setting.key},
        body=lambda n: (
            f'{{"query": {query}, "variables": {{"timestamp": "{moment_of(n)}", "count": {n % 100},'
            f' "subscriptionId": "{setting.line(n).subscription_id}", "brickId": "{setting.line(n).brick_id}"}}}}'
        ),
        expected_status=200,
    )


def _salesbricks_v2(setting: Setting) -> Target:
    return Target(
        path="/salesbricks/api/v2/usage",
        headers={"X-SALESBRICKS-KEY": setting.key},
        body=lambda n: (
            f'{{"transaction_id": "tx-{n}", "subscription_id": "{setting.line(n).subscription_id}",'
            f' "brick_id": "{setting.line(n).brick_id}", "value": {n % 100}, "time": "{moment_of(n)}"}}'
        ),
    )


def _rebilly(setting: Setting) -> Target:
    return Target(
        path=f"/rebilly/organizations/{setting.workspace.code}/usages",
        headers={"REB-APIKEY": setting.key},
        body=lambda n: (
            f'{{"subscriptionId": "{setting.line(n).reference}", "quantity": {n % 100 + 1},'
            f' "usageTime": "{moment_of(n)}"}}'
        ),
    )


def _sequence(setting: Setting) -> Target:
    return Target(
        path="/sequence/api/usage-events",
        headers={"Authorization": f"Basic {b64encode(f'bench:{setting.key}'.encode()).decode()}"},
        body=lambda n: (
            f'{{"customerEventId": "ue-{n}", "customerAlias": "{setting.alias(n)}", "eventType": "message-sent",'
            f' "eventTimestamp": "{moment_of(n)}", "eventProperties": {{"length": {n % 100}}}}}'
        ),
    )


def _native(setting: Setting) -> Target:
    return Target(
        path="/api/usage/",
        headers={"Authorization": f"Bearer {setting.key}"},
        body=lambda n: (
            f'{{"line": {setting.line(n).number}, "quantity": "{n % 100}.25", "occurred_at": "{moment_of(n)}",'
            f' "key": "k-{n}"}}'
        ),
    )


def _bare(setting: Setting) -> Target:
    return Target(
        path="/bare/",
        headers={},
        body=lambda n: (
            f'{{"workspace": {setting.workspace.pk}, "line": {setting.line(n).pk}, "quantity": {n % 100}.25,'
            f' "date_time": "{moment_of(n)}"}}'
        ),
    )


TARGETS: dict[str, Callable[[Setting], Target]] = {
    "piriod": _piriod,
    "salesbricks_v1": _salesbricks_v1,
    "salesbricks_v2": _salesbricks_v2,
    "rebilly": _rebilly,
    "sequence": _sequence,
    "native": _native,
}
