"""Records as they were sent to our own API: each a command, or its errors by field."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from billing import contracts
from tests import factories as make
from usage.commands import LineByBrick, LineByNumber, Origin, RecordUsage, ReportEvent
from usage.dialects.native.translate import is_key, read_reports

pytestmark = pytest.mark.django_db

NOW = make.moment("2026-01-20")
AT = "2026-01-10T12:00:00Z"
WHOSE = "Give a line, or a subscription and a brick, or a customer_alias and an event_type."


@pytest.fixture
def line():
    owner = make.workspace()
    brick = make.brick(owner, reference="B-1")
    agreed = make.subscription(make.customer(owner), reference="S-1")
    return contracts.add_line(
        subscription=agreed, brick=brick, price=make.price(brick), reference="L-1", actor=make.ACTOR
    )


def read(workspace, *sent: Any) -> list[Any]:
    origin = Origin(workspace_id=workspace.pk, source="api", dialect="native", recorded_by="tests")
    return read_reports(sent, workspace=workspace, origin=origin, as_of=NOW)


def test_a_record_of_a_line_is_a_command(line):
    sent = {
        "line": line.number,
        "quantity": "2.50",
        "occurred_at": AT,
        "key": "k-1",
        "note": "n",
        "properties": {"a": 1},
    }

    (command,) = read(line.workspace, sent)

    assert isinstance(command, RecordUsage)
    assert (command.address, command.quantity) == (LineByNumber(line.number), Decimal("2.5"))
    assert (command.occurred_at, command.key) == (make.moment("2026-01-10 12:00"), "k-1")
    assert (command.note, command.properties, command.accepts_part) == ("n", {"a": 1}, False)


def test_a_line_and_a_brick_are_named_by_their_ids_or_references(line):
    by_brick = LineByBrick(line.subscription_id, line.brick_id)
    common = {"quantity": 1, "occurred_at": AT}

    found = read(
        line.workspace,
        {"line": "L-1", **common},
        {"subscription": "S-1", "brick": "B-1", **common},
        {"subscription": str(line.subscription_id), "brick": str(line.brick_id), **common},
    )

    assert [command.address for command in found] == [LineByNumber(line.number), by_brick, by_brick]


def test_an_event_is_a_command_that_supersedes_none(line):
    (command,) = read(line.workspace, {"customer_alias": "gx", "event_type": "sent", "occurred_at": AT})

    assert isinstance(command, ReportEvent)
    assert (command.customer_alias, command.event_type, command.key) == ("gx", "sent", None)
    assert (command.properties, command.supersedes) == ({}, False)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"line": 999}, None),
        ({"line": "nobody's"}, {"line": ["There is no such line."]}),
        ({"line": 0}, {"line": ["There is no such line."]}),
        ({"line": Decimal("1e999999999")}, {"line": ["There is no such line."]}),
        ({"line": True}, {"line": ["A line is given by its id, an integer, or by its reference, a string."]}),
        ({"line": " "}, {"line": ["This field may not be blank."]}),
        ({"line": None}, {"line": [WHOSE]}),
        ({"quantity": None}, {"quantity": ["This field may not be null."]}),
        ({"quantity": "1e3"}, {"quantity": ["A valid number is required."]}),
        ({"quantity": True}, {"quantity": ["A valid number is required."]}),
        (
            {"quantity": "0.0000000001"},
            {"quantity": ["Ensure that there are no more than 9 decimal places."]},
        ),
        ({"occurred_at": "2026-01-23T00:00:00Z"}, {"occurred_at": ["This is more than 24 hours ahead."]}),
        ({"occurred_at": None}, {"occurred_at": ["This field may not be null."]}),
        ({"key": ""}, {"key": ["This field may not be blank."]}),
        ({"key": 7}, {"key": ["Not a valid string."]}),
        ({"note": "x" * 501}, {"note": ["Ensure this field has no more than 500 characters."]}),
        ({"properties": [1]}, {"properties": ["Must be an object."]}),
        ({"brick": "B-1"}, {"subscription": [WHOSE]}),
        ({"unknown": 1}, None),
    ],
)
def test_what_is_wrong_is_told_by_its_field(settings, line, change, wrong):
    settings.USAGE_AHEAD_HOURS = 24

    (found,) = read(line.workspace, {"line": line.number, "quantity": 1, "occurred_at": AT} | change)

    assert (None if isinstance(found, RecordUsage) else found) == wrong


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        (None, {"": ["This field may not be null."]}),
        ([1], {"": ["Invalid data. Expected a dictionary, but got list."]}),
        ({}, {"line": [WHOSE], "occurred_at": ["This field is required."]}),
        ({"subscription": "S-1", "quantity": 1, "occurred_at": AT}, {"brick": ["This field is required."]}),
        (
            {"subscription": "S-1", "brick": str(uuid4())[:8], "quantity": 1, "occurred_at": AT},
            {"brick": ["There is no such brick."]},
        ),
        (
            {"customer_alias": "gx", "event_type": "sent", "occurred_at": AT, "quantity": 1},
            {"quantity": ["An event can't have a quantity."]},
        ),
    ],
)
def test_a_record_that_says_too_little_or_too_much_is_refused(line, sent, wrong):
    assert read(line.workspace, sent) == [wrong]


def test_names_of_any_number_of_records_take_three_queries(line, django_assert_num_queries):
    owner, common = line.workspace, {"quantity": 1, "occurred_at": AT}
    named = ({"line": "L-1"}, {"subscription": "S-1", "brick": "B-1"}, {"line": "nobody's"})

    with django_assert_num_queries(3):
        found = read(owner, *[name | common for name in named] * 20)

    assert [isinstance(one, RecordUsage) for one in found] == [True, True, False] * 20


def test_names_are_those_of_the_workspace(line):
    there = make.workspace("initech")

    assert read(there, {"line": "L-1", "quantity": 1, "occurred_at": AT}) == [{"line": ["There is no such line."]}]


@pytest.mark.parametrize(
    ("value", "valid"), [("k", True), ("x" * 255, True), ("", False), ("x" * 256, False), (7, False), (None, False)]
)
def test_a_key_is_a_text_of_some_length(value, valid):
    assert is_key(value) is valid
