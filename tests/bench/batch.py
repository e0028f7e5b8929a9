"""The native API's batches of 1,000 records against COPY of the same rows into the same table, in turns.

In each batch, one record in 50 names a missing line, and one in 50 has a key that was already used.
"""

import json
import statistics
import time
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from billing import contracts
from billing.contracts import Limits
from tests.bench.load import Target, seconds_for
from tests.bench.report import Row
from tests.bench.server import PROGRAM, serving
from tests.bench.setting import Setting, add_lines, build, moment_of
from tests.bench.size import Size
from tests.factories import ACTOR
from usage.models import UsageRecord

SIZE = 1000
ODD = 50
NOBODY = 2**53 - 1

_COLUMNS = (
    "workspace_id, line_id, quantity, occurred_at, recorded_at, is_late, kind, source, dialect, key, recorded_by, note"
)


def run(size: Size) -> list[Row]:
    """Measure rounds of batches from one and from four senders, in turns with the limit. Report the medians.

    Then compare batches onto lines with and without a limit, and beside many and few lines.
    """
    setting = build("batch", lines=size.lines)
    bounded = build("bounded", lines=size.lines)
    for line in bounded.lines:
        contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10**12)), actor=ACTOR)
    with serving(PROGRAM, "config.settings") as port:
        rows = [_row(setting, port, senders, size) for senders in (1, 4)]
        rows.append(_against(setting, bounded, port, size, "onto lines with a limit", ">= 0.3"))
    few = _rates(setting, "few", size)
    add_lines(setting, size.lines_beside)
    many = _rates(setting, "many", size)
    what = f"beside {size.lines_beside:,} lines, against {size.lines}"
    return [*rows, Row(f"  {what}", f"{many:,.0f} rows/s", f"{few:,.0f} rows/s", f"{many / few:.2f}", ">= 0.9")]


def _against(setting: Setting, other: Setting, port: int, size: Size, what: str, to_reach: str) -> Row:
    """Compare the batches of two settings, in turns."""
    _send(other, port, "warm-other", 1, size)
    rounds = [
        (_send(other, port, f"other-{n}", 1, size), _send(setting, port, f"one-{n}", 1, size))
        for n in range(size.rounds)
    ]
    theirs, ours = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    ratio = statistics.median(one / another for one, another in rounds)
    return Row(f"  {what}", f"{theirs:,.0f} rows/s", f"{ours:,.0f} rows/s", f"{ratio:.2f}", to_reach)


def _rates(setting: Setting, name: str, size: Size) -> float:
    # A new server: one that has been running has planned its statements already.
    with serving(PROGRAM, "config.settings") as port:
        _send(setting, port, f"warm-{name}", 1, size)
        return statistics.median(_send(setting, port, f"{name}-{n}", 1, size) for n in range(size.rounds))


def _row(setting: Setting, port: int, senders: int, size: Size) -> Row:
    _send(setting, port, f"warm-{senders}", senders, size)
    rounds = [
        (_send(setting, port, f"{senders}-{n}", senders, size), _copy(setting, f"copy-{senders}-{n}", size))
        for n in range(size.rounds)
    ]
    mine, theirs = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    ratio = statistics.median(one / other for one, other in rounds)
    what = f"batches of {SIZE:,}, {senders} sender{'s' if senders > 1 else ''}"
    return Row(what, f"{mine:,.0f} rows/s", f"{theirs:,.0f} rows/s", f"{ratio:.2f}", ">= 0.25")


def _send(setting: Setting, port: int, name: str, senders: int, size: Size) -> float:
    """Return how many records are accepted per second. Refused records are not counted."""
    target = Target(
        path="/api/usage/batch/",
        headers={"Authorization": f"Bearer {setting.key}"},
        body=lambda n: json.dumps({"records": [_report(setting, name, n * SIZE + place) for place in range(SIZE)]}),
        expected_status=200,
        refusal=b'"title"',
    )
    bodies = [target.body(n) for n in range(size.batches)]
    took = seconds_for(target, bodies, port=port, connections=senders)
    recorded = UsageRecord.objects.filter(workspace=setting.workspace, key__startswith=f"{name}-").count()
    if recorded != size.batches * SIZE * (ODD - 2) // ODD:
        raise RuntimeError("Some records were not accepted: the figure would be worthless.")
    return recorded / took


def _report(setting: Setting, name: str, n: int) -> dict[str, object]:
    is_unknown, is_repeat = n % ODD == 7, n % ODD == 9
    return {
        "line": NOBODY if is_unknown else setting.line(n).number,
        "quantity": f"{n % 100}.25",
        "occurred_at": moment_of(n),
        "key": f"{name}-{n - 1 if is_repeat else n}",
    }


def _copy(setting: Setting, name: str, size: Size) -> float:
    rows = "".join(_copied(setting, name, n) for n in range(size.batches * SIZE))
    with connection.cursor() as cursor:
        begun = time.perf_counter()
        with cursor.copy(f"COPY usage_usagerecord ({_COLUMNS}) FROM STDIN") as copy:
            copy.write(rows)
        return size.batches * SIZE / (time.perf_counter() - begun)


def _copied(setting: Setting, name: str, n: int) -> str:
    quantity, now = Decimal(f"{n % 100}.25"), timezone.now()
    moment = datetime.fromisoformat(moment_of(n))
    values = (setting.workspace.pk, setting.line(n).pk, quantity, moment, now, "f", "entry", "api", "native")
    return "\t".join(map(str, (*values, f"{name}-{n}", "key ark_live_bench", ""))) + "\n"
