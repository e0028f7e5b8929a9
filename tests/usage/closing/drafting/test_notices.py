"""Late usage that changes no amount, and of which a reviewer is to know: it is told once, where drafts are reviewed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from billing import contracts, invoicing
from billing.models import CloseRun, Invoice, InvoiceLine, Line
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, issue, totals
from tests.usage.dialects.native.client import Native
from usage import closing

pytestmark = pytest.mark.django_db

# At $2 a minute.
NEGATIVE = "negative quantity rated as zero"


def counting(*, aggregation: str = "sum", ends_on: date | None = None, **terms: Any) -> Line:
    customer = make.customer(make.workspace(), aliases=["gx"])
    property_of = "" if aggregation == "count" else "minutes"
    brick = make.event_brick(customer.workspace, aggregation=aggregation, property=property_of, **terms)
    return make.counting_line(customer, brick, starts_on=date(2026, 1, 1), ends_on=ends_on)


def sent(line: Line, at: str, **properties: Any):
    return make.event(line.workspace, "gx", at, recorded_at="2026-02-05", **properties)


def unread(one_of: int, record: Any, value: str = '"1e3"') -> str:
    """What is said of the one event of some that can't be read."""
    return (
        f"1 of {one_of} events has no number in “minutes” and adds nothing, such as {value} of record {record.handle}"
    )


def drafted(run: CloseRun) -> list[tuple[str, str, Decimal, Decimal, list[str]]]:
    return [
        (row.kind, f"{row.starts_at:%B}", row.quantity, row.amount, row.surprises)
        for row in InvoiceLine.objects.filter(invoice__run=run).order_by("invoice", "position")
    ]


def previewed(line: Line, at: str = "2026-02-20") -> list[tuple[str, Decimal, int, list[str]]]:
    found = closing.preview(subscription=line.subscription, as_of=make.moment(at))
    assert found is not None
    return [(row.kind, row.amount, row.unread_count, row.surprises) for row in found.invoice.lines]


def test_a_late_event_that_cant_be_read_is_told_in_preview_draft_review_and_api():
    # January: 5 minutes, $10. Late: "1e3", which adds nothing: $0. February: nothing.
    line = counting()
    sent(line, "2026-01-03", minutes=5)
    close_and_issue(line.workspace, "2026-02-01")
    late = sent(line, "2026-01-10", minutes="1e3")
    notice, panel, api = unread(2, late), administrator(), Native(line.workspace)

    assert previewed(line) == [("usage", 0, 0, []), ("true_up", 0, 1, [notice])]
    page = panel.get(reverse("admin:usage_preview", args=[line.subscription_id])).content.decode()
    assert "1 unread" in page
    run = close(line.workspace, "2026-03-01")
    assert drafted(run) == [("usage", "February", 0, 0, []), ("true_up", "January", 5, 0, [notice])]
    true_up = InvoiceLine.objects.get(kind="true_up")
    assert (true_up.rated, true_up.billed_before, true_up.record_count, true_up.unread_count) == (10, 10, 2, 1)
    review = panel.get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()
    assert notice.replace('"', "&quot;") in review
    shown = api.get(f"invoices/{true_up.invoice_id}/").json()["lines"][1]
    assert (shown["amount"], shown["unread_count"], shown["surprises"]) == ("0.00", 1, [notice])
    issue(run)
    assert totals(line.workspace) == ["10.00", "0.00"]
    assert all_replay_identically(line.workspace)


def test_it_is_told_once():
    line = counting()
    close_and_issue(line.workspace, "2026-02-01")
    sent(line, "2026-01-10", minutes="1e3")
    close_and_issue(line.workspace, "2026-03-01")
    # Worth nothing either, and read.
    sent(line, "2026-01-11", minutes=0)

    run = close_and_issue(line.workspace, "2026-04-01")

    assert [kind for kind, *_ in drafted(run)] == ["usage"]
    assert all_replay_identically(line.workspace)


def test_a_draft_that_is_discarded_has_told_nobody():
    line = counting()
    close_and_issue(line.workspace, "2026-02-01")
    late = sent(line, "2026-01-10", minutes="1e3")
    for _ in range(2):
        run = close(line.workspace, "2026-03-01")

        assert drafted(run)[1:] == [("true_up", "January", 0, 0, [unread(1, late)])]
        invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-03-02"))


def test_late_usage_that_changes_nothing_and_can_be_read_is_no_line():
    line = counting()
    sent(line, "2026-01-03", minutes="1e3")
    close_and_issue(line.workspace, "2026-02-01")
    sent(line, "2026-01-10", minutes=0)
    make.take_event_back(sent(line, "2026-01-11", minutes=7))

    assert previewed(line) == [("usage", 0, 0, [])]
    assert [kind for kind, *_ in drafted(close(line.workspace, "2026-03-01"))] == ["usage"]


def test_one_that_cant_be_read_in_place_of_another_is_told():
    # One of them was there when January was billed, and one is there now: as many, and yet another one.
    line = counting()
    former = sent(line, "2026-01-03", minutes="1e3")
    sent(line, "2026-01-04", minutes=5)
    close_and_issue(line.workspace, "2026-02-01")
    make.take_event_back(former)

    assert previewed(line) == [("usage", 0, 0, [])]
    late = sent(line, "2026-01-10", minutes="1,000")
    assert previewed(line)[1:] == [("true_up", 0, 1, [unread(2, late, '"1,000"')])]


def test_one_that_was_read_and_is_corrected_into_what_cant_be_read_is_told():
    line = counting()
    event = sent(line, "2026-01-03", minutes=0)
    close_and_issue(line.workspace, "2026-02-01")
    make.fix_event(event, properties={"minutes": "1e3"}, recorded_at="2026-02-06")

    assert previewed(line)[1:] == [("true_up", 0, 1, [unread(1, event)])]


def test_a_difference_tells_all_that_cant_be_read_in_its_period():
    # Late: 3 minutes, $6; the one that can't be read was told with January.
    line = counting()
    former = sent(line, "2026-01-03", minutes="1e3")
    close_and_issue(line.workspace, "2026-02-01")
    sent(line, "2026-01-10", minutes=3)

    assert previewed(line)[1:] == [("true_up", 6, 1, [unread(2, former)])]


def test_a_property_that_no_event_of_the_month_has_is_told_of_each_month():
    line = counting()
    close_and_issue(line.workspace, "2026-02-01")
    sent(line, "2026-01-10", Minutes=7)
    sent(line, "2026-02-10", Minutes=7)

    missing = "“minutes” is missing in the only event, which adds nothing"
    assert previewed(line) == [("usage", 0, 1, [missing]), ("true_up", 0, 1, [missing])]


def test_two_lines_of_a_brick_tell_what_is_new_of_a_month_once():
    # Of the first line nothing is new, of the second a late event without the property.
    line = counting()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
        actor=make.ACTOR,
    )
    former = sent(line, "2026-01-03", Minutes=7)
    sent(line, "2026-01-04", Minutes=7)
    close_and_issue(line.workspace, "2026-02-01")
    make.take_event_back(former)
    sent(line, "2026-01-20", Minutes=7)

    missing = "“minutes” is missing in the only event, which adds nothing"
    assert previewed(line) == [("usage", 0, 0, []), ("true_up", 0, 1, [missing])]


def test_a_quantity_that_becomes_negative_is_told_though_it_costs_what_it_did():
    # January: 0, $0. Late: -10, rated as 0.
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "-10", "2026-01-10", recorded_at="2026-02-05")

    assert previewed(line)[1:] == [("true_up", 0, 0, [NEGATIVE])]
    run = close_and_issue(line.workspace, "2026-03-01")
    assert drafted(run)[1:] == [("true_up", "January", -10, 0, [NEGATIVE])]
    # Still negative: nothing new.
    make.use(line, "3", "2026-01-11", recorded_at="2026-03-05")
    assert [kind for kind, *_ in drafted(close_and_issue(line.workspace, "2026-04-01"))] == ["usage"]
    assert all_replay_identically(line.workspace)


def test_a_quantity_that_was_negative_when_it_was_billed_is_no_news():
    line = make.line()
    make.use(line, "-5", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "-5", "2026-01-11", recorded_at="2026-02-05")

    assert [kind for kind, *_ in previewed(line)] == ["usage"]


def test_a_gap_of_a_filter_that_late_events_show_is_told_as_often_as_it_grows():
    # No event of the type in January; then one, and another, without the region that the rule asks for.
    line = counting(aggregation="count", filters={"region": ["eu"]})
    close_and_issue(line.workspace, "2026-02-01")
    told = "“region” is missing in {} of type “message-sent”: the filter on it matches none"
    for month, number in (("2026-03-01", "the only event"), ("2026-04-01", "all 2 events")):
        sent(line, "2026-01-10", Region="eu")
        run = close_and_issue(line.workspace, month)

        assert drafted(run)[1:] == [("true_up", "January", 0, 0, [told.format(number)])]
    make.take_event_back(sent(line, "2026-01-11", Region="eu"))
    assert [kind for kind, *_ in drafted(close_and_issue(line.workspace, "2026-05-01"))] == ["usage"]


def ended() -> Line:
    """Of January alone, billed: 5 minutes, $10."""
    line = counting(ends_on=date(2026, 2, 1))
    sent(line, "2026-01-03", minutes=5)
    close_and_issue(line.workspace, "2026-02-01")
    return line


def test_of_a_subscription_that_has_ended_the_run_tells_it_without_an_invoice():
    line = ended()
    late = sent(line, "2026-01-10", minutes="1e3")
    notice, api = unread(2, late), Native(line.workspace)

    run = close(line.workspace, "2026-03-01")

    assert run.state == CloseRun.State.REVIEW
    assert Invoice.objects.count() == 1
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()
    assert notice.replace('"', "&quot;") in review
    assert "Without an invoice" in review
    assert api.get(f"close-runs/{run.pk}/").json()["notices"] == [
        {
            "subscription": str(line.subscription_id),
            "line": line.number,
            "description": "Messages",
            "period": {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"},
            "surprises": [notice],
        }
    ]
    assert issue(run, "2026-03-01").state == CloseRun.State.ISSUED
    assert totals(line.workspace) == ["10.00"]
    with pytest.raises(closing.NothingToClose):
        close(line.workspace, "2026-04-01")


def test_of_a_subscription_that_has_ended_it_is_told_again_where_the_run_is_discarded():
    line = ended()
    late = sent(line, "2026-01-10", minutes="1e3")
    for _ in range(2):
        run = close(line.workspace, "2026-03-01")

        assert [told["surprises"] for told in run.items.get().notices] == [[unread(2, late)]]
        invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-03-02"))
        assert run.items.get().notices == []


def test_of_a_subscription_that_has_ended_differences_are_billed_and_tell_the_rest():
    # January: 5 minutes, $10. February: nothing. Late: "1e3" in January, 3 minutes, $6, in February.
    line = counting(ends_on=date(2026, 3, 1))
    sent(line, "2026-01-03", minutes=5)
    close_and_issue(line.workspace, "2026-03-01")
    late = make.event(line.workspace, "gx", "2026-01-10", recorded_at="2026-03-05", minutes="1e3")
    make.event(line.workspace, "gx", "2026-02-10", recorded_at="2026-03-05", minutes=3)

    run = close_and_issue(line.workspace, "2026-04-01")

    assert drafted(run) == [("true_up", "January", 5, 0, [unread(2, late)]), ("true_up", "February", 3, 6, [])]
    assert run.items.get().notices == []
    assert totals(line.workspace) == ["10.00", "0.00", "6.00"]
    assert all_replay_identically(line.workspace)


def test_late_usage_of_an_ended_subscription_that_tells_nothing_leaves_no_run_to_decide_on():
    line = ended()
    sent(line, "2026-01-10", minutes=0)

    run = close(line.workspace, "2026-03-01")

    assert (run.state, run.items.get().notices) == (CloseRun.State.ISSUED, [])


def test_a_month_in_which_nothing_is_sold_any_more_is_closed_without_an_invoice_and_tells_it():
    line = counting()
    contracts.end_line(line=line, ends_at=make.moment("2026-02-01"), actor=make.ACTOR)
    close_and_issue(line.workspace, "2026-02-01")
    late = sent(line, "2026-01-10", minutes="1e3")

    run = close(line.workspace, "2026-03-01")

    assert not run.invoices.exists()
    assert [told["surprises"] for told in run.items.get().notices] == [[unread(1, late)]]
    assert line.subscription.periods.count() == 2


def test_the_command_says_what_is_told_without_an_invoice(capsys):
    line = ended()
    late = sent(line, "2026-01-10", minutes="1e3")

    call_command("close", workspace=line.workspace.code, until=date(2026, 2, 28))

    told = f"to review: Messages of Globex, 1 Jan – 31 Jan 2026: {unread(2, late)}"
    assert told in capsys.readouterr().out
