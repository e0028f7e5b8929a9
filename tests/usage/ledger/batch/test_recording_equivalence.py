"""A batch does what recording its commands one after the other would do."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import contracts
from billing.contracts import Limits
from billing.models import Line, Workspace
from tests import factories as make
from tests.scenarios.closing import close
from tests.usage.ledger.commands import Outcome, event, origin_of, record_each, record_many
from usage import ledger
from usage.commands import LineByBrick, LineByName, LineByNumber, RecordUsage, ReportEvent
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

# 60 buy 60 units, or from 101 to 120 of them.
TIERS = [("100", "1", "0"), (None, "0.5", "0")]


@dataclass(frozen=True)
class Sent:
    """Usage to send: ``line`` is the place of a line, or beyond all; ``address`` says how it is addressed."""

    line: int
    address: str
    quantity: Decimal
    day: int
    key: str | None
    accepts_part: bool


sent = st.builds(
    Sent,
    line=st.integers(0, 6),
    address=st.sampled_from(["id", "brick", "name", "subscription"]),
    quantity=st.decimals(-5, 50, places=9)
    | st.decimals(50, 120, places=3)
    | st.sampled_from([Decimal("1e16"), Decimal("1e-10"), Decimal("NaN")]),
    day=st.integers(-10, 70),
    key=st.none() | st.sampled_from("abcd"),
    accepts_part=st.booleans(),
)


@dataclass(frozen=True)
class Happened:
    """An event to send."""

    alias: str
    day: int
    key: str | None
    supersedes: bool


happened = st.builds(
    Happened,
    alias=st.sampled_from(["gx", "cus_1", "nobody", "VOID", ""]),
    day=st.integers(-10, 70),
    key=st.none() | st.sampled_from("abcd"),
    supersedes=st.booleans(),
)


def world(code: str) -> tuple[Workspace, list[Line]]:
    workspace = make.workspace(code)
    counting = make.event_brick(workspace)
    customer = make.customer(workspace, reference="cus_1", aliases=["gx"])
    contracts.add_line(
        subscription=make.subscription(customer), brick=counting, price=make.price(counting), actor=make.ACTOR
    )
    bounded, priced = make.line(workspace), make.line(workspace, model="volume", tiers=TIERS)
    ending = make.line(workspace, ends_on=date(2026, 2, 10))
    lines = [
        make.line(workspace),
        make.line(workspace, aggregation="unit_days"),
        make.line(workspace, aggregation="none", model="flat"),
        ending,
        contracts.set_limits(line=bounded, limits=Limits(hard_limit_quantity=Decimal(60)), actor=make.ACTOR),
        contracts.set_limits(line=priced, limits=Limits(hard_limit_amount=Decimal(60)), actor=make.ACTOR),
    ]
    make.use(lines[0], "1", "2026-01-02", key="d", dialect="native")
    close(workspace, "2026-02-01")
    return workspace, lines


def command_of(one: Sent | Happened, workspace: Workspace, lines: list[Line]) -> RecordUsage | ReportEvent:
    at = make.moment("2026-01-01 12:00") + timedelta(days=one.day)
    if isinstance(one, Happened):
        command = event(workspace, one.alias, key=one.key, supersedes=one.supersedes)
        return replace(command, occurred_at=at)
    if one.line == len(lines):
        address: Any = LineByNumber(10**9)
    else:
        line = lines[one.line]
        address = {
            "id": LineByNumber(line.number),
            "brick": LineByBrick(line.subscription_id, line.brick_id),
            "name": LineByName(str(line.number)),
            "subscription": LineByName(str(line.subscription_id)),
        }[one.address]
    return RecordUsage(
        origin=origin_of(workspace),
        address=address,
        quantity=one.quantity,
        occurred_at=at,
        key=one.key,
        accepts_part=one.accepts_part,
    )


def ledger_of(workspace: Workspace, lines: list[Line]) -> list[list[tuple[Any, ...]]]:
    """Return the records of each line in the order of their ids, and the events. Keys that were made differ."""
    columns = ("quantity", "customer_alias", "customer__reference", "kind", "occurred_at", "recorded_at", "is_late")
    rows = UsageRecord.objects.filter(workspace=workspace).order_by("pk").values_list(*columns, "key")
    by_line = [
        [(*row, key if len(key or "") < 5 else None) for *row, key in rows.filter(line=line)] for line in (*lines, None)
    ]
    return [*by_line[:-1], sorted(by_line[-1], key=str)]


def seen(outcome: Outcome, lines: list[Line]) -> Any:
    if isinstance(outcome, ledger.DuplicateKey):
        same = UsageRecord.objects.get(pk=outcome.record_id)
        return "duplicate of", same.quantity, same.occurred_at
    if isinstance(outcome, ledger.UnableToRecord):
        return type(outcome), str(outcome)
    if isinstance(outcome, ledger.RecordedEvent):
        return outcome.customer_id is None, outcome.customer_alias, outcome.occurred_at, outcome.is_late
    place = [line.pk for line in lines].index(outcome.line_id)
    return replace(outcome, id=0, handle=0, line_id=place, line_number=0)


def test_a_batch_is_as_good_as_its_records_one_after_the_other():
    # Each story is undone, so the two workspaces are the same for all of them.
    (one, ones_lines), (other, others_lines) = world("acme"), world("umbrella")

    @settings(max_examples=15)
    @given(story=st.lists(sent | happened, max_size=12))
    def is_as_good(story: list[Sent | Happened]) -> None:
        with transaction.atomic():
            at_once = record_many(*(command_of(each, one, ones_lines) for each in story))
            in_turn = record_each(*(command_of(each, other, others_lines) for each in story))

            assert [seen(outcome, ones_lines) for outcome in at_once] == [
                seen(outcome, others_lines) for outcome in in_turn
            ]
            assert ledger_of(one, ones_lines) == ledger_of(other, others_lines)
            transaction.set_rollback(True)

    is_as_good()
