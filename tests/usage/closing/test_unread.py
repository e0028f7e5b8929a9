"""Events without a readable value are reported beside each quantity that counts them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import contracts
from billing.models import AllowedOrigin, Invoice, InvoiceLine
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import all_replay_identically, close, close_and_issue
from tests.usage.dialects.native.client import Native
from tests.usage.dialects.salesbricks_v2.client import Salesbricks
from tests.usage.dialects.sequence.client import Sequence
from tests.usage.metering.windows import window
from usage import closing
from usage.closing import missing_properties, surprising_lines
from usage.metering import Measurement, Unread, measure

pytestmark = pytest.mark.django_db


@pytest.fixture
def globex():
    return make.customer(make.workspace(), aliases=["gx"])


def sent(customer, alias: str = "gx", **properties):
    return make.event(customer.workspace, alias, "2026-01-10", **properties)


def measured(customer, aggregation: str = "sum", **terms: Any) -> Measurement:
    given: dict[str, Any] = {"property": "length", **terms}
    rule = make.event_brick(customer.workspace, aggregation=aggregation, **given).event_rules.get()
    return measure([window(customer, rule)])[0]


def five_events(customer) -> list[int]:
    """Two are numbers, 500 and 1.5; three are none: "1e3", "1,000" and a Length with a capital."""
    given: list[dict[str, Any]] = [
        {"length": 500},
        {"length": "1e3"},
        {"length": "1.5"},
        {"length": "1,000"},
        {"Length": 7},
    ]
    return [sent(customer, **properties).handle for properties in given]


def test_a_sum_tells_what_it_passes_over(globex):
    events = five_events(globex)

    assert measured(globex) == Measurement(
        Decimal("501.5"), 5, Unread(3, 1, ((events[1], '"1e3"'), (events[3], '"1,000"')))
    )


def test_what_is_as_good_as_none_is_missing_or_shown(globex):
    nothing, many, digits = sent(globex, length=None), sent(globex, length=[1]), sent(globex, length="1" * 17)

    assert measured(globex).unread == Unread(3, 1, ((many.handle, "[1]"), (digits.handle, '"11111111111111111"')))
    assert nothing.handle < many.handle


def test_a_long_value_is_cut(globex):
    sent(globex, length="x" * 1000)

    ((_, value),) = measured(globex).unread.sample
    assert value == '"' + "x" * 59


def test_where_none_has_the_property_the_sample_is_of_events_without_it(globex):
    events = [sent(globex, Length=n).handle for n in range(3)]

    found = measured(globex)

    assert found == Measurement(Decimal(0), 3, Unread(3, 3, ((events[0], None), (events[2], None))))
    assert found.is_missing_everywhere


def test_distinct_values_tell_events_that_have_none(globex):
    sent(globex, user="a")
    without = sent(globex)

    assert measured(globex, "unique", property="user") == Measurement(
        Decimal(1), 2, Unread(1, 1, ((without.handle, None),))
    )


def test_a_number_of_events_reads_none_of_them(globex):
    five_events(globex)

    assert measured(globex, "count", property="").unread.count == 0


def test_an_event_that_was_corrected_is_told_by_the_id_that_its_sender_knows(globex):
    event = sent(globex, length="1e3")
    make.fix_event(event, properties={"length": "1e4"})

    assert measured(globex).unread.sample == ((event.handle, '"1e4"'),)


NOTICE = '3 of 5 events have no number in “length” and add nothing, such as "1e3" of record {}'


def line_of(customer, **terms: Any):
    given: dict[str, Any] = {"property": "length", **terms}
    brick = make.event_brick(customer.workspace, aggregation="sum", **given)
    return make.counting_line(customer, brick)


def test_the_panel_shows_it_in_the_preview_and_as_a_surprise_in_the_review(globex):
    line, events = line_of(globex), five_events(globex)
    panel = administrator()

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-31"))
    shown = panel.get(reverse("admin:usage_preview", args=[line.subscription_id])).content.decode()
    run = close(globex.workspace, "2026-02-01")
    review = panel.get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()

    notice = NOTICE.format(events[1])
    assert preview is not None
    assert preview.invoice.lines[0].surprises == [notice]
    assert "3 unread" in shown
    assert notice.replace('"', "&quot;") in review
    row = InvoiceLine.objects.get()
    assert (row.record_count, row.unread_count, row.missing_count) == (5, 3, 1)
    assert row.unread_sample == [
        {"record": events[1], "value": '"1e3"'},
        {"record": events[3], "value": '"1,000"'},
    ]


def test_the_api_shows_it_and_documents_stay_as_they_were(globex):
    line, events = line_of(globex), five_events(globex)
    line.subscription.refresh_from_db()
    close_and_issue(globex.workspace, "2026-02-01")
    for at in ("2026-02-03", "2026-02-04"):
        make.event(globex.workspace, "gx", at, length="1e3")
    api, invoice = Native(globex.workspace), Invoice.objects.get()

    issued = api.get(f"invoices/{invoice.pk}/").json()["lines"][0]

    sample = [{"record": events[1], "value": '"1e3"'}, {"record": events[3], "value": '"1,000"'}]
    assert (issued["record_count"], issued["unread_count"], issued["unread_sample"]) == (5, 3, sample)
    assert "unread" not in invoice.document
    assert all_replay_identically(globex.workspace)


def test_current_usage_and_the_upcoming_invoice_show_it(globex):
    line = line_of(globex)
    event = make.event(globex.workspace, "gx", "2026-01-10", length="1e3")
    api = Native(globex.workspace)

    (used,) = api.get(f"subscriptions/{line.subscription_id}/usage/").json()["lines"]
    (upcoming,) = api.get(f"subscriptions/{line.subscription_id}/upcoming-invoice/").json()["lines"]

    for shown in (used, upcoming):
        assert (shown["quantity"], shown["record_count"], shown["unread_count"]) == ("0", 1, 1)
        assert shown["unread_sample"] == [{"record": event.handle, "value": '"1e3"'}]
    assert upcoming["surprises"] == [
        f'1 of 1 events has no number in “length” and adds nothing, such as "1e3" of record {event.handle}'
    ]


def many_events(workspace, **properties: Any) -> None:
    """1,001 events of which one is worth 5."""
    sent = [{"length": 5}, *[properties] * 1000]
    records = [
        {"customer_alias": "gx", "event_type": "message-sent", "occurred_at": "2026-01-10T00:00:00Z", "properties": one}
        for one in sent
    ]
    assert Native(workspace).post("usage/batch/", records=records).json()["recorded"] == 1001


@pytest.mark.parametrize(("style", "unread", "counted"), [("comma", "1.000", "1.001"), ("point", "1,000", "1,001")])
def test_events_are_told_in_the_workspaces_format(style, unread, counted):
    customer = make.customer(make.workspace(number_format=style), aliases=["gx"])
    line_of(customer)
    many_events(customer.workspace, length="1e3")

    close(customer.workspace, "2026-02-01")

    [told] = InvoiceLine.objects.get().surprises
    assert told.startswith(f"{unread} of {counted} events have no number in “length”")


def test_what_is_missing_is_told_in_the_workspaces_format():
    customer = make.customer(make.workspace(number_format="comma"), aliases=["gx"])
    line_of(customer, property="lenght", filters={"tier": ["a"]}, negated=["tier"])
    many_events(customer.workspace, length=6)

    run = close(customer.workspace, "2026-02-01")
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()

    assert "“lenght” is missing in all 1.001 events, which add nothing" in review
    assert "“tier” is missing in all 1.001 events of type “message-sent”: the filter on it excludes none" in review
    assert "1,001" not in review


def test_calculate_tells_it_in_a_header_since_the_vendors_body_is_closed(globex):
    brick = line_of(globex).brick
    five_events(globex)

    told = Sequence(globex.workspace)(
        "GET", f"usage-metrics/{brick.pk}/calculate?customerAliases=gx&periodStart=2026-01-01&periodEnd=2026-01-31"
    )

    assert (told.json()["value"], told.json()["eventCount"], told.headers["Unread-Event-Count"]) == (501.5, 5, "3")


@pytest.mark.parametrize(
    ("asked", "unread"),
    [("?currentPeriod=1", "2"), ("", "3"), ("?to=2026-07-01", "1"), ("/series", "2"), ("/series?from=2026-06-01", "3")],
)
def test_usage_and_its_series_tell_it_in_a_header_too(globex, asked, unread):
    # In June one can't be read; in July, until the 20th at 14:00, two of three.
    line = line_of(globex)
    for at, length in (
        ("2026-06-10", "1e3"),
        ("2026-07-01", "1e3"),
        ("2026-07-02", 5),
        ("2026-07-03", "1,000"),
        ("2026-07-21", "1e3"),
    ):
        make.event(globex.workspace, "gx", at, length=length)

    AllowedOrigin.objects.create(workspace=globex.workspace, origin="https://shop.example.com")

    with time_machine.travel("2026-07-20T14:00:00Z", tick=False):
        told = Salesbricks(line, origin="https://shop.example.com").read(asked)

    assert (told.status_code, told.headers["Unread-Event-Count"]) == (200, unread)
    assert "Unread-Event-Count" in told.headers["Access-Control-Expose-Headers"]


def test_usage_that_is_no_event_is_never_unread(globex):
    line = make.line(globex.workspace)
    make.use(line, "3", "2026-07-10")

    for asked in ("", "?currentPeriod=1", "/series"):
        assert Salesbricks(line).read(asked).headers["Unread-Event-Count"] == "0"


def test_a_property_that_no_event_has_is_told_once_a_rule(globex):
    line = line_of(globex, property="lenght")
    initech = make.customer(globex.workspace, "Initech", aliases=["in"])
    make.counting_line(initech, line.brick)
    sent(globex, length=5)
    sent(globex, length=6)
    sent(initech, "in", length=7)

    run = close(globex.workspace, "2026-02-01")
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()

    assert review.count("lenght") == 1
    assert "“lenght” is missing in all 3 events, which add nothing" in review


@pytest.mark.parametrize("aggregation", ["sum", "count", "unique"])
def test_a_filter_by_what_no_event_has_is_measured_at_once(globex, aggregation):
    # Two events with a region; the rule asks for a Region, and for a tier that one has.
    sent(globex, length=5, region="eu", tier="a")
    sent(globex, length=6, region="us")
    property_of = "" if aggregation == "count" else "length"

    with CaptureQueriesContext(connection) as queries:
        found = measured(globex, aggregation, property=property_of, filters={"Region": ["eu"], "tier": ["a"]})

    assert found == Measurement(Decimal(0), 0, filter_gaps={"Region": 2, "tier": 0})
    assert sum("FROM w" in query["sql"] for query in queries) == 1


def test_without_an_event_of_the_type_nothing_is_missing(globex):
    make.event(globex.workspace, "gx", "2026-01-10", event_type="other", length=5)

    assert measured(globex, filters={"Region": ["eu"]}).filter_gaps == {}


def test_a_filter_by_a_property_that_no_event_has_is_told_once_a_rule(globex):
    line = line_of(globex, filters={"Region": ["eu"]})
    initech = make.customer(globex.workspace, "Initech", aliases=["in"])
    make.counting_line(initech, line.brick)
    sent(globex, length=5, region="eu")
    sent(globex, length=6, region="eu")
    sent(initech, "in", length=7, region="eu")

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-31"))
    run = close(globex.workspace, "2026-02-01")
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()
    invoice = Invoice.objects.get(subscription=line.subscription)
    (shown,) = Native(globex.workspace).get(f"invoices/{invoice.pk}/").json()["lines"]

    rule = line.brick.event_rules.get()
    told = f"“Region” is missing in all {{}} events of type “{rule.event_type}”: the filter on it matches none"
    assert preview is not None
    assert preview.invoice.lines[0].surprises == [told.format(2)]
    assert shown["surprises"] == [told.format(2)]
    assert review.count("Region") == 1
    assert told.format(3) in review


def test_a_negated_filter_by_what_no_event_has_keeps_none_out(globex):
    line = line_of(globex, filters={"Region": ["eu"]}, negated=["Region"])
    sent(globex, length=5, region="eu")

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-31"))

    assert preview is not None
    (draft,) = preview.invoice.lines
    assert (draft.quantity, draft.record_count) == (Decimal(5), 1)
    assert draft.surprises == [
        f"“Region” is missing in the only event of type “{line.brick.event_rules.get().event_type}”:"
        " the filter on it excludes none"
    ]


def test_a_filter_by_what_another_customers_events_have_is_one_customers_surprise(globex):
    line = line_of(globex, filters={"region": ["eu"]})
    initech = make.customer(globex.workspace, "Initech", aliases=["in"])
    make.counting_line(initech, line.brick)
    sent(globex, length=5, region="eu")
    sent(initech, "in", length=7, Region="eu")

    run = close(globex.workspace, "2026-02-01")
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()

    assert "“region” is missing in the only event of type" in review
    assert "data-missing" not in review


def test_a_property_that_one_customers_events_lack_is_that_customers_surprise(globex):
    line = line_of(globex)
    initech = make.customer(globex.workspace, "Initech", aliases=["in"])
    make.counting_line(initech, line.brick)
    sent(globex, length=5)
    sent(initech, "in", Length=7)

    run = close(globex.workspace, "2026-02-01")
    review = administrator().get(reverse("admin:billing_closerun_change", args=[run.pk])).content.decode()

    assert "“length” is missing in the only event, which adds nothing" in review
    assert "data-missing" not in review


def test_two_lines_of_a_brick_tell_it_once(globex):
    line = line_of(globex, property="lenght")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-15"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-15"),
        actor=make.ACTOR,
    )
    make.event(globex.workspace, "gx", "2026-01-10", length=5)
    make.event(globex.workspace, "gx", "2026-01-20", length=5)

    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-31"))

    assert preview is not None
    assert [len(draft.surprises) for draft in preview.invoice.lines] == [1, 0]
    assert [draft.unread_count for draft in preview.invoice.lines] == [1, 1]


def test_any_number_of_rules_may_have_something_missing(globex):
    line = make.counting_line(globex, make.event_brick(globex.workspace, aggregation="sum", property="length"))
    sent(globex, size=1)
    run = close(globex.workspace, "2026-02-01")
    (missing,) = missing_properties(run)
    others = [replace(missing, rule_id=missing.rule_id + n) for n in range(1, 1500)]

    assert [row.line_id for row in surprising_lines([])] == [line.pk]
    assert list(surprising_lines([missing, *others])) == []
