"""Filters of a rule: all must match, and negated ones not. Where they ignore case, no locale matters."""

from decimal import Decimal
from typing import Any

import pytest

from billing import catalog, parties
from tests import factories as make
from tests.usage.metering.windows import measured, sent, window
from usage import ledger
from usage.commands import Origin, ReportEvent
from usage.metering import measure

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("filters", "negated", "count"),
    [
        ({"type": ["text"]}, (), 2),
        ({"type": ["text", "fax"]}, (), 3),
        ({"type": ["TEXT"]}, (), 0),
        ({"type": ["text"]}, ("type",), 5),
        ({"type": ["text"], "size": ["1.5"]}, (), 1),
        ({"type": ["text"], "size": ["1.5"]}, ("type",), 1),
        ({"type": ["text"], "size": ["1.5", "2"]}, ("type", "size"), 4),
        ({"size": ["1.50"]}, (), 0),
        ({"urgent": ["true"]}, (), 1),
        ({"urgent": ["True"]}, (), 0),
        ({"o'clock": ["%s", "{}"]}, (), 1),
        ({"missing": ["null", "", "None"]}, (), 0),
        ({"missing": ["null", "", "None"]}, ("missing",), 7),
    ],
)
def test_filters_must_all_match_and_negated_ones_not(globex, filters, negated, count):
    sent(globex, type="text", size=Decimal("1.50"))
    sent(globex, type="text", size="2")
    sent(globex, type="fax", size=Decimal("1.5"))
    sent(globex, type=None, urgent=True)
    sent(globex, type=["text"])
    sent(globex, **{"o'clock": "%s"})
    sent(globex)

    assert measured(globex, filters=filters, negated=negated) == f"{count} of {count}"


def test_filters_may_take_upper_and_lower_case_for_one(globex):
    for value in ("text", "Text", "TEXT", "fax", True):
        sent(globex, type=value)

    either = {"filters": {"type": ["tExt", "TRUE"]}, "is_case_sensitive": False}
    assert measured(globex, **either) == "4 of 4"
    assert measured(globex, **either, negated=["type"]) == "1 of 1"


def counted(customer, *values: str, **terms: Any) -> int:
    whatever_the_case: dict[str, Any] = {"filters": {"street": list(values)}, "is_case_sensitive": False}
    rule = make.event_brick(customer.workspace, **{**whatever_the_case, **terms}).event_rules.get()
    return int(measure([window(customer, rule)])[0].quantity)


def said(customer, street: str, **details) -> ledger.RecordedEvent:
    return make.event(customer.workspace, "gx", "2026-01-10", street=street, **details)


@pytest.mark.parametrize(
    ("event", "filter_"), [("ΟΔΟΣ", "οδος"), ("οδος", "ΟΔΟΣ"), ("É", "é"), ("é", "É"), ("e\u0301", "É"), ("ß", "SS")]
)
def test_case_is_that_of_unicode(globex, event, filter_):
    said(globex, event)

    assert counted(globex, filter_) == 1
    assert counted(globex, filter_, negated=("street",)) == 0
    assert counted(globex, filter_, is_case_sensitive=True) == 0


def test_an_event_that_is_folded_already_counts_as_well(globex):
    said(globex, "text")
    make.event(globex.workspace, "gx", "2026-01-10", street=True)
    make.event(globex.workspace, "gx", "2026-01-10", street=5)
    make.event(globex.workspace, "gx", "2026-01-10", Street="TEXT")

    assert counted(globex, "TEXT", "TRUE", "5") == 3


def test_a_batch_a_correction_another_of_its_key_and_a_match_are_folded(globex):
    origin = Origin(workspace_id=globex.workspace_id, source="api", dialect="native", recorded_by="tests")
    at = make.moment("2026-01-10")
    batch = [ReportEvent(origin, "gx", "message-sent", at, None, {"street": street}, False) for street in ("ΟΔΟΣ", "x")]
    ledger.record_many(commands=batch, recorded_at=at)
    make.fix_event(said(globex, "Other"), properties={"street": "Οδος"})
    make.fix_event(said(globex, "ΟΔΟΣ"), occurred_at=make.moment("2026-01-11"))
    said(globex, "Other", key="k")
    said(globex, "ΟΔΌΣ".replace("Ό", "Ο"), key="k")
    make.event(globex.workspace, "later", "2026-01-10", street="ΟΔΟΣ")
    parties.add_alias(customer=globex, value="later", actor=make.ACTOR)

    assert counted(globex, "οδος") == 5


def test_a_rule_is_told_as_it_was_written_and_stays_where_nothing_changes(globex):
    terms = catalog.EventTerms("call", "count", filters={"street": ["ΟΔΟΣ", "Οδος"]}, is_case_sensitive=False)
    brick = make.event_brick(globex.workspace)

    rule = catalog.set_event_rule(brick=brick, rule=terms, as_of=make.moment("2026-01-02"), actor=make.ACTOR)
    again = catalog.set_event_rule(brick=brick, rule=terms, as_of=make.moment("2026-01-03"), actor=make.ACTOR)

    assert (rule, catalog.terms_of(rule).filters) == (again, {"street": ["ΟΔΟΣ", "Οδος"]})
    assert rule.folded_filters == {"street": ["οδοσ"]}
