"""Hard limits in a batch: what they let in, and what that costs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from types import FrameType
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.usage.ledger.commands import record_many, report, told
from usage import ledger

pytestmark = pytest.mark.django_db

# 60 buy 60 units, or from 101 to 120 of them.
TIERS = [("100", "1", "0"), (None, "0.5", "0")]


def test_a_hard_limit_lets_in_what_it_leaves_in_the_order_of_the_batch():
    line = make.line()
    free = make.line(line.workspace)
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)

    outcomes = record_many(
        report(line, "6"),
        report(line, "5", key="a"),
        report(free, "50", key="a"),
        report(line, "3", key="b"),
        report(free, "60", key="b"),
        report(line, "9", accepts_part=True),
        report(line, "1"),
    )

    assert [told(outcome) for outcome in outcomes] == [
        6,
        "The limit of this line leaves 4 in the period.",
        50,
        3,
        "Usage with this id was already recorded.",
        1,
        "The limit of this line leaves 0 in the period.",
    ]


@pytest.mark.parametrize("size", [1, 50])
def test_lines_with_a_limit_are_measured_once_whatever_the_batch(size):
    workspace = make.workspace()
    of_quantity, of_amount = make.line(workspace), make.line(workspace, model="volume", tiers=TIERS)
    contracts.set_limits(line=of_quantity, limits=Limits(hard_limit_quantity=Decimal(30)), actor=make.ACTOR)
    contracts.set_limits(line=of_amount, limits=Limits(hard_limit_amount=Decimal(30)), actor=make.ACTOR)
    days = ("2026-01-10", "2026-02-10")
    commands = [report(line, "1", day) for _ in range(size) for line in (of_quantity, of_amount) for day in days]

    with CaptureQueriesContext(connection) as queries:
        outcomes = record_many(*commands)

    recorded = [outcome for outcome in outcomes if isinstance(outcome, ledger.Recorded)]
    assert len(recorded) == 4 * min(size, 30)
    statements = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    # The lines; those with a limit, their tiers; up to where they are measured, and their totals.
    limits = ["SELECT", "SELECT", "SELECT", "WITH"]
    assert statements == ["WITH", *limits, "SELECT", "INSERT"]


@pytest.mark.parametrize("model", ["graduated", "volume"])
@pytest.mark.parametrize("first", ["1", "5000"], ids=["fits", "is full"])
def test_what_an_amount_affords_costs_a_record_the_same_whatever_the_tiers(model, first):
    tiers = [(str(100 * (n + 1)), f"{1 + n / 100:.2f}", "0") for n in range(99)] + [(None, "3", "0")]

    def calls(size):
        line = make.line(make.workspace(f"acc_{size}"), model=model, tiers=tiers)
        contracts.set_limits(line=line, limits=Limits(hard_limit_amount=Decimal(5000)), actor=make.ACTOR)
        commands = [report(line, first, accepts_part=True), *(report(line, f"{3 + n % 7}.{n:03}") for n in range(size))]
        with calls_below("billing/rating/") as counted:
            record_many(*commands)
        return len(counted)

    assert calls(400) - calls(200) <= 200 * 50


@contextmanager
def calls_below(folder: str) -> Iterator[list[str]]:
    """Give the calls that code of a folder makes, and those of its functions."""
    counted: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event in ("call", "c_call") and folder in frame.f_code.co_filename:
            counted.append(event)

    sys.setprofile(note)
    try:
        yield counted
    finally:
        sys.setprofile(None)


def test_what_a_limit_leaves_is_counted_within_the_batch():
    line = make.line()
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)
    make.use(line, "2", "2026-01-05", key="known", dialect="native")

    outcomes = record_many(
        report(line, "6", key="a"),
        report(line, "6", key="a"),  # a repeat takes nothing
        report(line, "7", key="known"),
        report(line, "3", key="b"),  # 2 are left
        report(line, "-1.5"),  # and now 3.5
        report(line, "9", accepts_part=True, key="b"),
        report(line, "0.001"),
        report(line, "0"),
        report(line, "10", "2026-02-01"),
    )

    assert [told(outcome) for outcome in outcomes] == [
        6,
        "Usage with this id was already recorded.",
        "Usage with this id was already recorded.",
        "The limit of this line leaves 2 in the period.",
        Decimal("-1.5"),
        Decimal("3.5"),
        "The limit of this line leaves 0 in the period.",
        0,
        10,
    ]
