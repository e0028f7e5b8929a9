import re
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import contracts
from billing.models import InvoiceLine, Line
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of, queries_of
from tests.scenarios.closing import close, close_and_issue
from usage.admin import record_filters
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

ADD = "admin:usage_usagerecord_add"
LIST = "admin:usage_usagerecord_changelist"


def adding(to: Line) -> str:
    return f"{reverse(ADD)}?customer={to.subscription.customer_id}"


def typed(line: Line, quantity: str = "12.5", day: str = "2026-01-31", time: str = "23:30", **more: object) -> dict:
    entry = {"line": line.pk, "occurred_at_0": day, "occurred_at_1": time, "quantity": quantity, "note": ""}
    return entry | {"key": str(uuid4())} | more


def page(of: UsageRecord, view: str = "change") -> str:
    return reverse(f"admin:usage_usagerecord_{view}", args=[of.pk])


def rows(client: object, query: str) -> list[int]:
    return [row.pk for row in client.get(f"{reverse(LIST)}?{query}").context["cl"].result_list]  # type: ignore[attr-defined]


def test_usage_is_added_at_a_moment_of_the_workspaces_time_zone():
    line = make.line(make.workspace(time_zone="America/New_York"))

    response = administrator().post(adding(line), typed(line, note="from the meter"))

    record = UsageRecord.objects.get()
    assert response.url == page(record)
    assert (record.line, record.quantity, record.note) == (line, Decimal("12.5"), "from the meter")
    assert record.occurred_at == make.moment("2026-01-31 23:30", tz="America/New_York")
    assert (record.source, record.dialect, record.recorded_by) == ("panel", "panel", "Fiona Ledger")


def test_form_that_is_sent_twice_makes_one_record():
    line, client = make.line(), administrator()
    data = typed(line)

    first, second = client.post(adding(line), data), client.post(adding(line), data)

    assert first.url == second.url == page(UsageRecord.objects.get())


def test_customer_is_chosen_first_and_offers_his_metered_lines():
    line, client = make.line(), administrator()
    fee = make.brick(line.workspace, "Fee", aggregation="none")
    contracts.add_line(subscription=line.subscription, brick=fee, price=make.price(fee, model="flat"), actor=make.ACTOR)
    make.line(make.workspace("other"))

    asked = client.get(reverse(ADD))
    offered = client.get(adding(line)).context["form"].fields["line"].queryset

    assert reverse("admin:billing_customer_pick") in asked.content.decode()
    assert list(offered) == [line]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": "1234567890123456"}, "quantity"),
        ({"quantity": "0.1234567891"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"occurred_at_0": "2025-12-31"}, "occurred_at"),
        ({"occurred_at_0": ""}, "occurred_at"),
        ({"line": 0}, "line"),
    ],
)
def test_usage_that_the_ledger_refuses_is_shown_on_its_field(change, field):
    line = make.line(aggregation="unit_days")

    response = administrator().post(adding(line), typed(line) | change)

    assert list(errors_of(response)) == [field]
    assert not UsageRecord.objects.exists()


def test_time_that_the_clock_skipped_is_refused():
    line = make.line(make.workspace(time_zone="Europe/Berlin"))

    response = administrator().post(adding(line), typed(line, day="2026-03-29", time="02:30"))

    assert list(errors_of(response)) == ["occurred_at"]


def test_correction_supersedes_and_keeps_what_is_not_changed():
    line = make.line(make.workspace(time_zone="Europe/Berlin"))
    former = make.use(line, "3", "2026-01-05 10:00", key="k", tz="Europe/Berlin")
    data = {"quantity": "4", "occurred_at_0": "2026-01-05", "occurred_at_1": "10:00:00", "note": "misread"}

    response = administrator().post(page(UsageRecord.objects.get(), "correct"), data)

    correction = UsageRecord.objects.latest("id")
    assert response.url == page(correction)
    assert (correction.kind, correction.quantity, correction.note) == ("correction", 4, "misread")
    assert (correction.occurred_at, correction.key) == (former.occurred_at, "k")
    assert (correction.source, correction.recorded_by) == ("panel", "Fiona Ledger")
    assert UsageRecord.objects.get(pk=former.id).superseded_by == correction


def test_correction_wants_a_reason_and_a_change():
    line, client = make.line(), administrator()
    make.use(line, "3", "2026-01-05 10:00")
    url = page(UsageRecord.objects.get(), "correct")
    same = {"quantity": "3", "occurred_at_0": "2026-01-05", "occurred_at_1": "10:00:00", "note": "why"}

    assert list(errors_of(client.post(url, same))) == ["__all__"]
    assert list(errors_of(client.post(url, same | {"quantity": "4", "note": " "}))) == ["note"]
    assert list(errors_of(client.post(url, same | {"occurred_at_0": "2025-01-05"}))) == ["occurred_at"]
    assert UsageRecord.objects.count() == 1


def test_retraction_wants_a_reason_and_is_final():
    line, client = make.line(), administrator()
    record = make.use(line, "3", "2026-01-05 10:00")
    url = page(UsageRecord.objects.get(), "retract")

    assert list(errors_of(client.post(url, {"note": ""}))) == ["note"]
    client.post(url, {"note": "entered twice"})

    retraction = UsageRecord.objects.latest("id")
    assert (retraction.kind, retraction.note) == ("retraction", "entered twice")
    assert not UsageRecord.objects.live().exists()
    for pk in (record.id, retraction.pk):
        refused = client.post(reverse("admin:usage_usagerecord_correct", args=[pk]), {})
        assert "Fiona Ledger has retracted it" in str(refused.context["form"].errors)
    assert UsageRecord.objects.count() == 2


def test_list_tells_no_count_that_nobody_has_counted():
    make.use(make.line(), "3", "2026-01-05")

    shown = administrator().get(reverse("admin:usage_usagerecord_changelist")).content.decode()

    assert re.search(r"\d results?\b", shown) is None


def test_record_shows_its_chain_with_links_both_ways():
    line, client = make.line(), administrator()
    first = make.use(line, "3", "2026-01-05")
    second = make.fix(first, "4")

    older = client.get(reverse("admin:usage_usagerecord_change", args=[first.id]))
    newer = client.get(reverse("admin:usage_usagerecord_change", args=[second.id]))

    states = [(link["record"].pk, link["state"]) for link in older.context["chain"]]
    assert states == [(first.id, "superseded"), (second.id, "counts")]
    assert reverse("admin:usage_usagerecord_change", args=[second.id]) in older.content.decode()
    assert reverse("admin:usage_usagerecord_change", args=[first.id]) in newer.content.decode()
    assert reverse("admin:usage_usagerecord_correct", args=[first.id]) not in older.content.decode()


def test_record_is_edited_or_deleted_by_no_form():
    line, client = make.line(), administrator()
    make.use(line, "3", "2026-01-05")
    record = UsageRecord.objects.get()

    assert client.post(page(record), {"quantity": "4"}).status_code == 403
    assert client.post(page(record, "delete"), {"post": "yes"}).status_code == 403
    assert UsageRecord.objects.get().quantity == 3


def test_viewer_can_neither_add_correct_nor_retract():
    line = make.line()
    make.use(line, "3", "2026-01-05")
    record, viewer = UsageRecord.objects.get(), client_of("usage.view_usagerecord")

    shown = viewer.get(page(record))

    assert shown.status_code == 200
    assert page(record, "correct") not in shown.content.decode()
    for url in (adding(line), page(record, "correct"), page(record, "retract")):
        assert viewer.post(url, {"note": "x"}).status_code == 403
    assert UsageRecord.objects.count() == 1


def test_operator_may_add_but_not_correct():
    line = make.line()
    operator = client_of("usage.view_usagerecord", "usage.add_usagerecord")

    operator.post(adding(line), typed(line))

    record = UsageRecord.objects.get()
    assert operator.post(page(record, "correct"), {}).status_code == 403


def test_list_of_an_invoice_line_is_exactly_what_it_counted():
    line, client = make.line(), administrator()
    kept = make.use(line, "3", "2026-01-05")
    wrong = make.use(line, "4", "2026-01-06")
    fixed = make.fix(wrong, "5")
    make.use(line, "9", "2026-02-06")
    close_and_issue(line.workspace, "2026-02-01")
    late = make.use(line, "1", "2026-01-07", recorded_at="2026-02-07")
    make.fix(kept, "2")

    billed = InvoiceLine.objects.get()

    assert rows(client, f"invoice_line={billed.pk}") == [fixed.id, kept.id]
    assert billed.record_count == 2
    assert late.id in rows(client, "state=late")
    assert rows(client, "invoice_line=0") == rows(client, "invoice_line=x") == []


def test_records_are_found_by_key_line_or_customer():
    line, client = make.line(), administrator()
    other = contracts.add_line(
        subscription=make.subscription(make.customer(line.workspace, "Initech")),
        brick=line.brick,
        price=line.price,
        number=4711,
        actor=make.ACTOR,
    )
    first = make.use(line, "3", "2026-01-05", key="k-1", source="panel", dialect="panel")
    second = make.use(other, "4", "2026-01-05", key="k-2", source="panel", dialect="panel")

    assert rows(client, "q=k-1") == [first.id]
    assert rows(client, "q=k-") == []
    assert rows(client, "q=4711") == [second.id]
    assert rows(client, "q=init") == [second.id]
    assert rows(client, f"line__id__exact={line.pk}") == [first.id]
    assert rows(client, "source=api") == []
    assert rows(client, "dialect=panel") == [second.id, first.id]


@pytest.mark.parametrize("state", ["counts", "late", "superseded", "retraction"])
def test_list_is_filtered_by_state(state):
    line, client = make.line(), administrator()
    taken_back = make.take_back(make.use(line, "1", "2026-01-02"))
    close(line.workspace, "2026-02-01")
    late = make.use(line, "2", "2026-01-03", recorded_at="2026-02-02")
    first_id = UsageRecord.objects.earliest("id").pk
    expected = {"counts": [late.id], "late": [late.id], "superseded": [first_id], "retraction": [taken_back.id]}

    assert rows(client, f"state={state}") == expected[state]


def test_opening_value_of_a_gauge_is_that_of_the_invoices_cutoff():
    line, client = make.line(aggregation="unit_days"), administrator()
    make.use(line, "2", "2026-01-10")
    stood = make.use(line, "5", "2026-01-20")
    close(line.workspace, "2026-03-01")
    make.fix(stood, "7")
    january, february = InvoiceLine.objects.order_by("starts_at")

    def opening(of: InvoiceLine) -> str:
        return client.get(reverse("admin:usage_opening", args=[of.pk])).content.decode()

    assert "it opened with 0" in opening(january)
    assert "5 since 20 Jan 2026, 00:00" in opening(february)
    assert client_of("billing.view_invoice").get(reverse("admin:usage_opening", args=[january.pk])).status_code == 403


def test_opening_value_that_was_carried_on_says_from_which_line():
    line, client = make.line(aggregation="unit_days"), administrator()
    make.use(line, "5", "2026-01-10")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=line.price,
        starts_at=make.moment("2026-01-16"),
        actor=make.ACTOR,
    )
    close(line.workspace, "2026-02-01")
    following = InvoiceLine.objects.exclude(line=line).get()

    page = client.get(reverse("admin:usage_opening", args=[following.pk])).content.decode()

    assert "5 since 10 Jan 2026, 00:00" in page
    assert f"carried on from line {line.number}" in page


def test_page_of_a_record_takes_as_many_queries_for_a_long_chain():
    line, client = make.line(), administrator()
    alone = make.use(line, "3", "2026-01-05")
    chain = make.use(line, "3", "2026-01-06")
    for quantity in ("4", "5"):
        last = make.fix(chain, quantity)

    urls = [reverse("admin:usage_usagerecord_change", args=[pk]) for pk in (alone.id, last.id)]

    assert queries_of(client, urls[0]) == queries_of(client, urls[1])


def test_blanks_at_the_ends_of_identifiers_are_seen():
    line = make.line(reference="L1")
    subscription = line.subscription
    type(subscription).objects.update(reference="sub ")
    client = administrator()
    make.event(line.workspace, "Customer 7 ", "2026-01-05", event_type=" call")
    event = UsageRecord.objects.get()

    for view in ("change", "retract"):
        shown = client.get(page(event, view)).content.decode()
        assert "<dd>Customer 7␣</dd>" in shown
        assert "<dd>␣call</dd>" in shown
    assert "subscription sub␣ " in client.get(adding(line)).content.decode()
    subscription.refresh_from_db()
    assert str(subscription) == "sub␣"


def test_properties_are_read_of_the_record_that_shows_them_alone():
    line, client = make.line(), administrator()
    first = make.use(line, "3", "2026-01-05")
    make.fix(first, "4")

    def naming(url):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        return [query["sql"] for query in queries if '"properties"' in query["sql"] or '"folded"' in query["sql"]]

    assert naming(reverse("admin:usage_usagerecord_changelist")) == []
    of_page = naming(reverse("admin:usage_usagerecord_change", args=[first.id]))
    assert [sql.split(" FROM ")[0].count('"properties"') for sql in of_page] == [1]
    assert f'"id" = {first.id}' in of_page[0]


def test_of_a_long_chain_the_newest_are_shown_and_how_many_more_there_are():
    line, client = make.line(), administrator()
    first = make.use(line, "3", "2026-01-05")
    for n in range(52):
        last = make.fix(first, str(n))

    page = client.get(reverse("admin:usage_usagerecord_change", args=[first.id]))

    shown = [link["record"].pk for link in page.context["chain"]]
    assert (len(shown), shown[-1], shown == sorted(shown)) == (50, last.id, True)
    assert "The newest 50; 3 older ones are omitted" in page.content.decode()


def test_a_moment_outside_of_the_line_is_told_as_the_panel_writes_moments():
    line = make.line(make.workspace(time_zone="Europe/Berlin"))
    record = make.use(line, "3", "2026-03-10")
    contracts.end_line(line=line, ends_at=make.moment("2026-07-01", tz="Europe/Berlin"), actor=make.ACTOR)
    client = administrator()
    said = "The line was not active then, only from 1 Jan 2026, 00:00 until 1 Jul 2026, 00:00."

    added = client.post(adding(line), typed(line, day="2026-08-01"))
    corrected = client.post(
        page(UsageRecord.objects.get(pk=record.id), "correct"),
        {"quantity": "3", "occurred_at_0": "2026-08-01", "occurred_at_1": "10:00", "note": "misread"},
    )

    assert errors_of(added)["occurred_at"] == [said]
    assert errors_of(corrected)["occurred_at"] == [said]


@pytest.mark.bound("customers, and lines, that a search among the panel's usage looks through")
@pytest.mark.parametrize(("customers", "lines", "found"), [(3, 3, 3), (2, 3, 2), (3, 2, 2)])
def test_a_search_looks_through_so_many_customers_and_lines(monkeypatch, customers, lines, found):
    monkeypatch.setattr(record_filters, "MOST_CUSTOMERS", customers)
    monkeypatch.setattr(record_filters, "MOST_LINES", lines)
    owner = make.workspace()
    for number in range(3):
        make.use(make.line(owner), str(number), "2026-01-10")

    assert len(rows(administrator(), "q=glob")) == found
