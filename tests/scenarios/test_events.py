"""Worked months of a customer whose service reports events."""

from datetime import date

import pytest

from billing import catalog, contracts, invoicing, parties
from billing.models import Invoice, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, totals
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def quantities(invoice: Invoice) -> dict[str, str]:
    """Return the quantity of each line of an invoice, with its number of events."""
    return {
        line.description: f"{line.quantity.normalize():f} of {line.record_count}"
        for line in invoice.lines.order_by("position")
    }


def test_a_month_of_messages_feeds_four_bricks():
    # Characters: 500 + 120 + 80.5 = 700.5 at $0.01 = $7.005, $7.01. Messages: 4 at $2 = $8. Users: ann, bob = $10.
    # Not by fax: 3 at $1 = $3. Together $28.01.
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    agreed = make.subscription(globex)
    for name, price, terms in (
        ("Characters", "0.01", {"aggregation": "sum", "property": "length"}),
        ("Messages", "2", {"aggregation": "count"}),
        ("Users", "5", {"aggregation": "unique", "property": "user"}),
        ("Not by fax", "1", {"aggregation": "count", "filters": {"type": ["fax"]}, "negated": ["type"]}),
    ):
        brick = make.event_brick(owner, name, **terms)
        contracts.add_line(subscription=agreed, brick=brick, price=make.price(brick, price), actor=make.ACTOR)
    make.event(owner, "gx", "2026-01-05", length=500, type="text", user="ann")
    make.event(owner, "gx", "2026-01-06", length=120, type="fax", user="bob")
    make.event(owner, str(globex.pk), "2026-01-31 23:59:59", length="80.5", user="ann")
    make.event(owner, "gx", "2026-01-10", length="long", type="text")
    make.event(owner, "gx", "2026-02-01", length=1, type="text", user="eve")
    make.event(owner, "GX", "2026-01-10", length=1, type="text", user="eve")
    make.event(owner, "gx", "2026-01-10", event_type="Message-Sent", length=1)

    close_and_issue(owner, "2026-02-01")

    assert quantities(Invoice.objects.get()) == {
        "Characters": "700.5 of 4",
        "Messages": "4 of 4",
        "Users": "2 of 4",
        "Not by fax": "3 of 3",
    }
    assert totals(owner) == ["28.01"]
    assert all_replay_identically(owner)


def test_the_last_event_received_with_a_key_counts_and_what_was_billed_is_trued_up():
    # January: 500 + 100 = 600. The first is sent again as 50, so 150: $900 less. February: 10, $20.
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    make.counting_line(globex, make.event_brick(owner, aggregation="sum", property="length"))
    make.event(owner, "gx", "2026-01-05", key="m-1", length=400)
    make.event(owner, "gx", "2026-01-05", key="m-1", length=500)
    make.event(owner, "gx", "2026-01-07", key="m-2", length=100)
    close_and_issue(owner, "2026-02-01")

    again = make.event(owner, "gx", "2026-01-05", key="m-1", recorded_at="2026-02-10", length=50)
    make.event(owner, "gx", "2026-02-03", length=10)
    close_and_issue(owner, "2026-03-01")

    assert again.is_late
    assert totals(owner) == ["1200.00", "-880.00"]
    assert list(InvoiceLine.objects.order_by("id").values_list("kind", "quantity")) == [
        ("usage", 600),
        ("usage", 10),
        ("true_up", 150),
    ]
    assert UsageRecord.objects.count() == 5
    assert all_replay_identically(owner)


def test_an_event_that_moves_to_another_period_leaves_the_first():
    owner = make.workspace()
    make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner))
    make.event(owner, "gx", "2026-01-05", key="m-1")
    close_and_issue(owner, "2026-02-01")

    make.event(owner, "gx", "2026-02-05", key="m-1")
    close_and_issue(owner, "2026-03-01")

    assert totals(owner) == ["2.00", "0.00"]
    assert list(InvoiceLine.objects.order_by("id").values_list("kind", "amount")) == [
        ("usage", 2),
        ("usage", 2),
        ("true_up", -2),
    ]


def test_void_takes_an_event_back_also_when_it_was_billed():
    owner = make.workspace()
    make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner))
    make.event(owner, "gx", "2026-01-05", key="m-1")
    make.event(owner, "gx", "2026-01-06", key="m-2")
    make.event(owner, "VOID", "2026-01-06", key="m-2")
    close_and_issue(owner, "2026-02-01")

    void = make.event(owner, "VOID", "2026-02-05", key="m-1")
    close_and_issue(owner, "2026-03-01")

    assert (void.customer_id, void.is_late) == (None, True)
    assert totals(owner) == ["2.00", "-2.00"]
    assert all_replay_identically(owner)


def test_events_that_waited_are_billed_once_their_alias_is_known():
    owner = make.workspace()
    globex = make.customer(owner)
    make.counting_line(globex, make.event_brick(owner))
    make.event(owner, "gx", "2026-01-05")
    make.event(owner, "gx", "2026-01-06")

    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    close_and_issue(owner, "2026-02-01")

    assert totals(owner) == ["4.00"]


def test_events_that_waited_beyond_the_close_are_trued_up():
    owner = make.workspace()
    globex = make.customer(owner)
    make.counting_line(globex, make.event_brick(owner))
    make.event(owner, "gx", "2026-01-05")
    make.event(owner, "gx", "2026-02-05")
    close_and_issue(owner, "2026-02-01")

    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    close_and_issue(owner, "2026-03-01")
    close_and_issue(owner, "2026-04-01")

    assert totals(owner) == ["0.00", "4.00", "0.00"]
    assert all_replay_identically(owner)


def test_an_event_that_changes_hands_is_taken_from_one_customer_and_billed_to_the_other():
    owner = make.workspace()
    brick = make.event_brick(owner)
    ours = make.counting_line(make.customer(owner, aliases=["gx"]), brick)
    theirs = make.counting_line(make.customer(owner, "Initech", aliases=["in"]), brick)
    make.event(owner, "gx", "2026-01-05", key="m-1")
    close_and_issue(owner, "2026-02-01")

    make.event(owner, "in", "2026-01-05", key="m-1")
    close_and_issue(owner, "2026-03-01")

    assert [str(row.amount) for row in ours.invoice_lines.order_by("id")] == ["2.0000", "0.0000", "-2.0000"]
    assert [str(row.amount) for row in theirs.invoice_lines.order_by("id")] == ["0.0000", "0.0000", "2.0000"]


def test_an_ended_subscription_gets_an_invoice_of_late_events_alone():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    make.counting_line(globex, make.event_brick(owner), ends_on=date(2026, 2, 1))
    make.event(owner, "gx", "2026-01-05", key="m-1")
    close_and_issue(owner, "2026-02-01")
    make.event(owner, "gx", "2026-01-06")
    make.event(owner, "VOID", "2026-01-06", key="m-1")
    make.event(owner, "gx", "2026-01-07")

    close_and_issue(owner, "2026-03-01")

    assert totals(owner) == ["2.00", "2.00"]
    assert all_replay_identically(owner)


def test_a_void_alone_brings_an_ended_subscription_back():
    owner = make.workspace()
    make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner), ends_on=date(2026, 2, 1))
    make.event(owner, "gx", "2026-01-05", key="m-1")
    close_and_issue(owner, "2026-02-01")
    make.event(owner, "VOID", "2026-03-06", key="m-1")

    close_and_issue(owner, "2026-04-01")

    assert totals(owner) == ["2.00", "-2.00"]


def test_a_line_counts_events_of_its_own_life_only():
    # January from the 16th at $2: 1 event; until then at $1: 2 events.
    owner = make.workspace()
    brick = make.event_brick(owner)
    line = make.counting_line(make.customer(owner, aliases=["gx"]), brick, "1")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=brick,
        price=make.price(brick, "2"),
        starts_at=make.moment("2026-01-16"),
        actor=make.ACTOR,
    )
    for at in ("2025-12-31", "2026-01-01", "2026-01-15 23:59:59", "2026-01-16"):
        make.event(owner, "gx", at)

    close_and_issue(owner, "2026-02-01")

    assert totals(owner) == ["4.00"]


def test_several_subscriptions_of_a_customer_each_count_an_event():
    owner = make.workspace()
    globex, brick = make.customer(owner, aliases=["gx"]), make.event_brick(owner)
    make.counting_line(globex, brick, "1")
    make.counting_line(globex, brick, "10")
    make.event(owner, "gx", "2026-01-05")

    close_and_issue(owner, "2026-02-01")

    assert sorted(totals(owner)) == ["1.00", "10.00"]


def test_a_new_rule_counts_periods_that_were_not_billed_and_leaves_the_others():
    # January is billed by messages: 2 x $2. A late third makes it 3: $2 more, still by messages. From February on it is
    # characters: 30 x $2.
    owner = make.workspace()
    brick = make.event_brick(owner)
    make.counting_line(make.customer(owner, aliases=["gx"]), brick)
    make.event(owner, "gx", "2026-01-05", length=500)
    make.event(owner, "gx", "2026-01-06", length=700)
    close_and_issue(owner, "2026-02-01")

    terms = catalog.EventTerms(event_type="characters", aggregation="sum", property="length")
    rule = catalog.set_event_rule(brick=brick, rule=terms, as_of=make.moment("2026-02-15"), actor=make.ACTOR)
    make.event(owner, "gx", "2026-01-07", length=900)
    make.event(owner, "gx", "2026-02-05", event_type="characters", length=30)
    close_and_issue(owner, "2026-03-01")

    assert totals(owner) == ["4.00", "62.00"]
    first, february, true_up = InvoiceLine.objects.order_by("id")
    assert (first.rule, february.rule) == (true_up.rule, rule)
    assert all_replay_identically(owner)


def test_replay_is_identical_after_names_and_aliases_have_changed():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"], reference="C-1")
    other = make.customer(owner, "Initech")
    brick = make.event_brick(owner, aggregation="unique", property="user")
    make.counting_line(globex, brick)
    make.event(owner, "gx", "2026-01-05", user="ann")
    make.event(owner, "C-1", "2026-01-05", user="bob")
    make.event(owner, "later", "2026-01-05", user="eve")
    close_and_issue(owner, "2026-02-01")

    alias = globex.aliases.get()
    parties.update_alias(alias=alias, customer=other, actor=make.ACTOR)
    parties.update_customer(customer=globex, name="Renamed", reference="", actor=make.ACTOR)
    parties.add_alias(customer=globex, value="later", actor=make.ACTOR)
    catalog.set_event_rule(
        brick=brick, rule=catalog.EventTerms("message-sent", "count"), as_of=make.moment("2026-02-02"), actor=make.ACTOR
    )

    assert totals(owner) == ["4.00"]
    assert all_replay_identically(owner)


def test_a_discarded_run_is_computed_anew_whatever_came_meanwhile():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    line = make.counting_line(globex, make.event_brick(owner))
    make.event(owner, "gx", "2026-01-05")
    run = close(owner, "2026-02-01")
    counted_as_late = make.event(owner, "gx", "2026-01-06")

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-02-02"))
    # The customer's mark stays where the close put it: an event may be called late without need.
    again = make.event(owner, "gx", "2026-01-07")
    close_and_issue(owner, "2026-02-01")
    close_and_issue(owner, "2026-03-01")

    assert counted_as_late.is_late
    assert again.is_late
    assert totals(owner) == ["6.00", "0.00"]
    assert [row.kind for row in line.invoice_lines.order_by("id")] == ["usage", "usage"]


def test_events_corrected_and_retracted_in_the_panel_are_trued_up():
    owner = make.workspace()
    make.counting_line(
        make.customer(owner, aliases=["gx"]), make.event_brick(owner, aggregation="sum", property="length")
    )
    first = make.event(owner, "gx", "2026-01-05", length=5)
    second = make.event(owner, "gx", "2026-01-06", length=7)
    close_and_issue(owner, "2026-02-01")

    make.fix_event(first, properties={"length": 6})
    make.take_event_back(second)
    close_and_issue(owner, "2026-03-01")

    assert totals(owner) == ["24.00", "-12.00"]
    assert UsageRecord.objects.count() == 4
