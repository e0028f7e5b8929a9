"""The entries of a batch: what each command would become, keys and hard limits aside."""

from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests import factories as make
from tests.usage.ledger.commands import NOW, event, report
from usage.commands import LineByNumber
from usage.ledger.batch.entries import AcceptedUsage, accept_event, accept_usage
from usage.ledger.events import LockedNames
from usage.ledger.lines.loading import find_lines
from usage.ledger.refusals import LineNotFound, OutsideLine, PropertiesRefused, QuantityRefused, TextRefused

pytestmark = pytest.mark.django_db


def accepted(line, quantity: str = "5", **details) -> AcceptedUsage:
    command = report(line, quantity, **details)
    return accept_usage(3, command, find_lines(line.workspace_id, [command.address]))


def test_usage_is_accepted_with_its_line_and_its_place():
    line = make.line()
    command = report(line, "2.50", "2026-01-10 13:00", key="k-1")
    in_berlin = replace(command, occurred_at=command.occurred_at.astimezone(ZoneInfo("Europe/Berlin")))

    entry = accept_usage(3, in_berlin, find_lines(line.workspace_id, [command.address]))

    assert (entry.position, entry.line.id, entry.quantity, entry.key) == (3, line.pk, Decimal("2.5"), "k-1")
    assert (entry.occurred_at, entry.occurred_at.tzinfo) == (make.moment("2026-01-10 13:00"), UTC)
    assert not entry.may_supersede
    assert not entry.is_bounded


def test_the_row_of_usage_is_as_json_has_it():
    line = make.line()

    row = accepted(line, "1E+3", key="k-1", note="typed", properties={"a": Decimal("1.50")}).row()

    assert row == {
        "line_id": line.pk,
        "quantity": "1000.000000000",
        "is_late": False,
        "note": "typed",
        "source": "api",
        "dialect": "native",
        "key": "k-1",
        "recorded_by": "key ark_live_x",
        "properties": '{"a":1.50}',
    }
    assert accepted(line).row()["properties"] is None


def test_the_answer_to_usage_is_what_a_single_record_would_be_told():
    line = make.line()
    entry = accepted(line, "2.5")

    told = entry.recorded(17, NOW)

    assert (told.id, told.handle, told.line_id, told.line_number) == (17, 17, line.pk, line.number)
    assert (told.quantity, told.recorded_at, told.source, told.is_late) == (Decimal("2.5"), NOW, "api", False)


@pytest.mark.parametrize(("at", "is_late"), [("2026-01-31 23:59", True), ("2026-02-01", False)])
def test_usage_before_the_first_open_period_is_late(at, is_late):
    line = make.line()
    type(line).objects.filter(pk=line.pk).update(open_from_at=make.moment("2026-02-01"))

    assert accepted(line, at=at).is_late is is_late


@pytest.mark.parametrize(
    ("details", "refusal"),
    [
        ({"quantity": "0.0000000001"}, QuantityRefused),
        ({"address": LineByNumber(999)}, LineNotFound),
        ({"at": "2025-12-31"}, OutsideLine),
        ({"properties": {"a": Decimal("1e200000")}}, PropertiesRefused),
    ],
)
def test_usage_is_refused_by_itself(details, refusal):
    with pytest.raises(refusal):
        accepted(make.line(), **details)


def named(owner, *aliases: str) -> LockedNames:
    return LockedNames(aliases, workspace_id=owner.pk)


def test_an_event_is_accepted_with_the_customer_that_its_alias_resolves_to():
    globex = make.customer(make.workspace(), aliases=["gx"])
    names = named(globex.workspace, "gx", "nobody")

    known = accept_event(0, event(globex.workspace, "gx", key="e-1", supersedes=True), names, NOW)
    unknown = accept_event(1, event(globex.workspace, "nobody", supersedes=True), names, NOW)

    assert (known.customer_id, known.key, known.may_supersede) == (globex.pk, "e-1", True)
    # An event without a key of its own supersedes none: the key that it is given is new.
    assert (unknown.customer_id, unknown.may_supersede) == (None, False)
    assert unknown.key


def test_the_row_of_an_event_has_its_alias_and_what_folding_changes():
    globex = make.customer(make.workspace(), aliases=["gx"])
    sent = event(globex.workspace, "gx", key="e-1", properties={"to": "Berlin", "n": 3})

    row = accept_event(0, sent, named(globex.workspace, "gx"), NOW).row()

    assert (row["customer_id"], row["customer_alias"], row["event_type"]) == (globex.pk, "gx", "message-sent")
    assert (row["properties"], row["folded"]) == ('{"to":"Berlin","n":3}', '{"to":"berlin"}')


def test_an_event_is_refused_by_itself():
    owner = make.workspace()

    with pytest.raises(TextRefused) as refusal:
        accept_event(0, event(owner, ""), named(owner), NOW)

    assert refusal.value.field == "customer_alias"
