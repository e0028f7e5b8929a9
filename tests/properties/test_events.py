"""Property test of events: what is counted and billed equals a count by hand, one event after the other."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import parties
from billing.models import EventRule, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, issue
from usage import closing, ledger
from usage.commands import Origin, ReportEvent
from usage.metering import Window, measure
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 4))

texts = st.sampled_from(["", "a", "A", "ä", "Ä", "ß", "true", "1", "1.0", "007", "-3", "1e3", "0.0000000005", "x" * 40])
numbers = st.one_of(
    st.integers(-(10**16), 10**16),
    st.decimals(min_value=-(10**6), max_value=10**6, places=10),
    st.sampled_from([Decimal("1.0"), Decimal("-0.0"), Decimal("1e2"), Decimal("1e15"), Decimal("1e-9")]),
)
values = st.one_of(texts, numbers, st.booleans(), st.none(), st.just([1]), st.just({"a": "b"}))
properties = st.dictionaries(st.sampled_from("pqr"), values)
filters = st.dictionaries(st.sampled_from("qr"), st.lists(texts, min_size=1, max_size=3))


@dataclass(frozen=True)
class Event:
    at: datetime
    properties: dict[str, Any]
    alias: str = "gx"
    event_type: str = "message-sent"


events = st.builds(
    Event,
    at=st.timedeltas(timedelta(days=-2), timedelta(days=61)).map(lambda after: JANUARY + after),
    properties=properties,
    alias=st.sampled_from(["gx", "C-1", "other", "later", "VOID"]),
    event_type=st.sampled_from(["message-sent", "call"]),
)


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    number = Decimal(value)
    whole = number == number.to_integral_value()
    return f"{int(number)}" if whole else f"{number:f}".rstrip("0")


def counts(rule: EventRule, given: dict[str, Any]) -> bool:
    """Return whether a rule counts an event with these properties, the slow way."""

    def folded(text: str | None) -> str | None:
        return text if text is None or rule.is_case_sensitive else text.casefold()

    def passes(name: str) -> bool:
        among = folded(as_text(given.get(name))) in [folded(value) for value in rule.filters[name]]
        return among != (name in rule.negated)

    return all(map(passes, rule.filters))


def on_paper(rule: EventRule, found: list[dict[str, Any]]) -> Decimal:
    """Return the quantity that a rule makes of events' properties, the slow way."""
    counted = [as_text(given.get("p")) for given in found if counts(rule, given)]
    if rule.aggregation == "count":
        return Decimal(len(counted))
    if rule.aggregation == "unique":
        return Decimal(len({text for text in counted if text is not None}))
    plain = [Decimal(text) for text in counted if text and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]+)?", text)]
    return sum(plain, Decimal(0)).quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)


def report(owner, event: Event, key: str | None = None) -> ledger.RecordedEvent:
    command = ReportEvent(
        origin=Origin(workspace_id=owner.pk, source="api", dialect="sequence", recorded_by="tests"),
        customer_alias=event.alias,
        event_type=event.event_type,
        occurred_at=event.at,
        key=key,
        properties=event.properties,
        supersedes=True,
    )
    return ledger.report_event(command=command, recorded_at=event.at)


@pytest.mark.parametrize("aggregation", ["count", "sum", "unique"])
@settings(max_examples=15)
@given(sent=st.lists(events, max_size=12), filters=filters, negated=st.sets(st.sampled_from("qr")), exact=st.booleans())
def test_metering_counts_what_a_reader_counts(aggregation, sent, filters, negated, exact):
    with transaction.atomic():
        owner = make.workspace()
        globex = make.customer(owner, aliases=["gx"], reference="C-1")
        rule = make.event_brick(
            owner,
            aggregation=aggregation,
            property="p",
            filters=filters,
            negated=sorted(negated & filters.keys()),
            is_case_sensitive=exact,
        ).event_rules.get()
        for event in sent:
            report(owner, event)
        window = Window(owner.pk, "events", None, JANUARY, FEBRUARY, 10**12, customer_id=globex.pk, rule=rule)

        (found,) = measure([window])

        ours = [
            event.properties
            for event in sent
            if event.alias in ("gx", "C-1") and event.event_type == "message-sent" and JANUARY <= event.at < FEBRUARY
        ]
        assert found.quantity == on_paper(rule, ours)
        transaction.set_rollback(True)


# A step: an event under one of a few keys, an alias added, or a close and issue.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("report"), events, st.sampled_from([None, "k1", "k2", "k3"])),
        st.tuples(st.just("name"), st.sampled_from(["other", "later"])),
        st.tuples(st.just("retract"), st.integers(0, 30)),
        st.tuples(st.just("close"), st.sampled_from(["2026-02-01", "2026-03-01"])),
    ),
    max_size=14,
)


@pytest.mark.parametrize("aggregation", ["count", "unique"])
@settings(max_examples=15)
@given(story=steps)
def test_every_period_is_billed_what_its_live_events_cost(aggregation, story):
    with transaction.atomic():
        owner = make.workspace()
        globex = make.customer(owner, aliases=["gx"], reference="C-1")
        brick = make.event_brick(owner, aggregation=aggregation, property="p", filters={"q": ["a"]}, negated=["q"])
        line = make.counting_line(globex, brick, "1.5")
        tell(owner, globex, story)
        for until in ("2026-02-01", "2026-03-01", "2026-04-01"):
            close_whatever_is_due(owner, until)
        live = UsageRecord.objects.live().filter(customer=globex, event_type="message-sent")
        for starts_at, ends_at in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH)):
            of_period = [row.properties for row in live if starts_at <= row.occurred_at < ends_at]
            billed = InvoiceLine.objects.filter(line=line, starts_at=starts_at)
            rule = brick.event_rules.get()
            expected = on_paper(rule, of_period) * Decimal("1.5")
            assert sum((row.amount for row in billed), Decimal(0)) == expected
            if aggregation == "unique":
                # Each unreadable event is reported on an invoice that was drafted after it arrived.
                unread = [
                    row.pk
                    for row in live
                    if starts_at <= row.occurred_at < ends_at
                    and counts(rule, row.properties)
                    and as_text(row.properties.get("p")) is None
                ]
                told = max((row.cutoff for row in billed if row.unread_count), default=0)
                assert max(unread, default=0) <= told
        assert all_replay_identically(owner)
        transaction.set_rollback(True)


def tell(owner, customer, story) -> None:
    known: list[ledger.RecordedEvent] = []
    for kind, *details in story:
        if kind == "report":
            event, key = details
            known = [*(told for told in known if told.key != key), report(owner, event, key)]
        elif kind == "close":
            close_whatever_is_due(owner, details[0])
        elif kind == "name" and not customer.aliases.filter(value=details[0]).exists():
            parties.add_alias(customer=customer, value=details[0], actor=make.ACTOR)
        elif kind == "retract" and known:
            make.take_event_back(known.pop(details[0] % len(known)))


def close_whatever_is_due(owner, until: str) -> None:
    try:
        issue(close(owner, until), until)
    except closing.NothingToClose:
        return
