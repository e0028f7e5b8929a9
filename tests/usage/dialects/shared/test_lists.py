"""Lists of usage in every dialect: their time, their last offset, the size of their pages, their order."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.models import InvoiceLine
from billing.storage.jsontext import decode
from tests import factories as make
from tests.failures import slowly
from tests.scenarios.closing import close
from tests.usage.dialects.native.client import Native
from tests.usage.dialects.piriod.client import WORKSPACE, Piriod, ids
from tests.usage.dialects.rebilly.client import Rebilly, problem
from tests.usage.dialects.salesbricks_v2.client import Salesbricks, bad_request
from tests.usage.dialects.sequence.client import Sequence, refused, wrong
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage

pytestmark = pytest.mark.django_db

DAYS = ("2026-01-12", "2026-01-10", "2026-01-11")


@pytest.fixture
def line():
    return make.line(make.workspace(WORKSPACE), reference="sub_1")


@pytest.fixture
def piriod(line):
    return Piriod(make.api_key(line.workspace))


@pytest.fixture
def rebilly(line):
    return Rebilly(make.api_key(line.workspace), mount="/rebilly")


@pytest.fixture
def native(line):
    return Native(line.workspace)


@pytest.fixture
def sequence(line):
    make.customer(line.workspace, "Initech", aliases=["initech"])
    return Sequence(line.workspace)


@pytest.fixture
def salesbricks(line):
    return Salesbricks(line)


def use(line, *days, **properties):
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="native", recorded_by="tests")
    return [
        ledger.record(
            command=RecordUsage(
                origin=origin,
                address=LineByNumber(line.number),
                quantity=Decimal(1),
                occurred_at=make.moment(day),
                properties=properties or None,
            ),
            recorded_at=make.moment("2026-02-01"),
        ).id
        for day in days
    ]


# --- pages that end early


def pages_of(native, query, direction="next"):
    address, pages = f"usage/?{query}", []
    while address:
        answer = native.get(address.removeprefix("http://testserver/api/")).json()
        pages.append([row["id"] for row in answer["results"]])
        address = answer[direction]
    return pages, answer


@pytest.mark.bound("LIST_PAGE_BYTES")
def test_a_page_by_cursor_ends_behind_the_record_that_makes_it_too_large(native, line, settings):
    # 400 bytes or so each: the third begins behind 800, and the fourth would behind 1,200.
    settings.LIST_PAGE_BYTES = 1000
    a, b, c, d, e, f, g = use(line, *["2026-01-10"] * 7, note="x" * 389)

    forwards, last = pages_of(native, "page_size=5")
    backwards, _ = pages_of(native, last["previous"].partition("?")[2], "previous")

    assert forwards == [[g, f, e], [d, c, b], [a]]
    assert backwards == [[d, c, b], [g, f, e]]
    assert native.get("usage/?page_size=1").json()["results"][0]["properties"] == {"note": "x" * 389}


def test_a_page_has_one_record_however_large(native, line, settings):
    settings.LIST_PAGE_BYTES = 0
    first, second = use(line, *["2026-01-10"] * 2, note="x")

    assert pages_of(native, "")[0] == [[second], [first]]


def test_bytes_are_those_of_the_text_and_not_its_characters(native, line, settings):
    settings.LIST_PAGE_BYTES = 1000
    # 389 letters of two bytes are 790 bytes or so: the third would begin behind 1,580.
    first, second, third = use(line, *["2026-01-10"] * 3, note="é" * 389)

    assert pages_of(native, "")[0] == [[third, second], [first]]


def test_events_by_cursor_likewise_and_by_offset_never(sequence, settings):
    settings.LIST_PAGE_BYTES = 1000
    for n in range(7):
        sequence.report("initech", customerEventId=f"E{n}", eventProperties={"note": "x" * 389})

    pages, query = [], "?limit=5"
    while query:
        answer = sequence("GET", f"usage-events{query}").json()
        pages.append([event["customerEventId"] for event in answer["items"]])
        cursor = answer["pagination"].get("after")
        query = f"?limit=5&after={cursor}" if cursor else ""

    assert pages == [["E6", "E5", "E4"], ["E3", "E2", "E1"], ["E0"]]
    assert len(sequence.events("?limit=5&offset=1")) == 5


def test_bricks_and_metrics_by_cursor_end_early_by_the_filters_of_their_rules(native, sequence, line, settings):
    settings.LIST_PAGE_BYTES = 1000
    for n in range(7):
        make.event_brick(line.workspace, f"B{n}", filters={"note": ["x" * 250, "y" * 139]})

    pages, address = [], "bricks/?aggregation=events&page_size=5"
    while address:
        answer = native.get(address.removeprefix("http://testserver/api/")).json()
        pages.append([brick["name"] for brick in answer["results"]])
        address = answer["next"]
    metrics = sequence("GET", "usage-metrics?limit=5").json()

    assert pages == [["B6", "B5", "B4"], ["B3", "B2", "B1"], ["B0"]]
    assert answer["results"][0]["rule"]["filters"] == {"note": ["x" * 250, "y" * 139]}
    assert [metric["name"] for metric in metrics["items"]] == ["B6", "B5", "B4"]
    assert metrics["items"][0]["propertyFilters"] == {"note": ["x" * 250, "y" * 139]}
    after = sequence("GET", f"usage-metrics?limit=5&after={metrics['pagination']['after']}").json()
    assert [metric["name"] for metric in after["items"]] == ["B3", "B2", "B1"]


def test_pages_by_number_and_offset_are_whole(piriod, rebilly, line, settings):
    settings.LIST_PAGE_BYTES = 1
    use(line, *["2026-01-10"] * 7, note="x" * 389)

    assert len(ids(piriod("GET", "usages/?page_size=5"))) == 5
    assert len(rebilly.ids(limit=5)) == 5


# --- by how much


@pytest.mark.bound("FILTER_VALUES")
def test_as_many_values_are_filtered_by_as_the_limit_and_not_more(piriod, rebilly, sequence, settings):
    settings.FILTER_VALUES = 3
    three, four = ",".join("123"), ",".join("1234")

    assert piriod("GET", f"usages/?id__in={three}").status_code == 200
    assert piriod("GET", f"usages/?id__in={four}").json() == {"id__in": ["Give at most 3 values."]}
    assert rebilly.listed(filter=f"quantity:{three}").status_code == 200
    refused = rebilly.listed(filter="quantity:1,2;id:!3,4")
    assert refused.json() == problem(
        400, "Bad Request", "The input is invalid.", filter="A filter has at most 3 values."
    )
    named = [f"customerAlias={name}" for name in four.split(",")]
    assert sequence("GET", f"usage-events?{'&'.join(named[:3])}").status_code == 200
    message = "Give at most 3 texts of at most 255 characters."
    assert sequence("GET", f"usage-events?{'&'.join(named)}").json() == wrong(customerAlias=message)


@pytest.mark.bound("FILTER_LINES")
@pytest.mark.parametrize(("most", "is_named"), [(2, True), (1, False)])
def test_records_of_up_to_so_many_lines_are_found_by_the_index_of_these(native, line, settings, most, is_named):
    settings.FILTER_LINES = most
    customer = line.subscription.customer
    other = contracts.add_line(
        subscription=make.subscription(customer), brick=line.brick, price=line.price, actor=make.ACTOR
    )
    found = [use(one, "2026-01-10")[0] for one in (line, other)]
    use(make.line(line.workspace), "2026-01-10")

    with CaptureQueriesContext(connection) as queries:
        shown, _ = pages_of(native, f"brick={line.brick_id}")

    assert shown == [found[::-1]]
    among = [query["sql"] for query in queries if '"usage_usagerecord"."line_id" IN (' in query["sql"]]
    assert [f"IN ({line.pk}, {other.pk})" in sql for sql in among] == [is_named] * len(among) != []


# --- how far


@pytest.mark.bound("LIST_OFFSET")
def test_a_page_too_far_behind_is_refused_by_name(piriod, rebilly, sequence, salesbricks, settings):
    settings.LIST_OFFSET = 40
    message = "The offset can be at most 40 rows. Narrow the list by a filter."

    assert piriod("GET", "usages/?page=4&page_size=20").json() == {"page": [message]}
    assert piriod("GET", "usages/?page=3&page_size=20").status_code == 404  # within, and empty
    assert rebilly.listed(offset=41).json() == problem(400, "Bad Request", "The input is invalid.", offset=message)
    assert rebilly.listed(offset=40).status_code == 200
    assert sequence("GET", "usage-events?offset=41").json() == wrong(offset=message)
    assert sequence("GET", "usage-events?offset=40").status_code == 200
    assert salesbricks.read("/entries?offset=41").json() == bad_request(offset=message)
    assert salesbricks.read("/entries?offset=40").status_code == 200


def test_a_list_of_entries_reads_what_it_shows(salesbricks, line):
    salesbricks.post(transaction_id="a", time="2026-01-10T00:00:00Z")

    with CaptureQueriesContext(connection) as queries:
        assert len(salesbricks.read("/entries").json()["results"]) == 1

    columns = [query["sql"].split(" FROM ")[0] for query in queries if '"usage_usagerecord"."key"' in query["sql"]]
    assert columns
    assert not [sql for sql in columns if any(name in sql for name in ("folded", "recorded_by", "hard_limit"))]


# --- in what order


def test_what_is_asked_for_by_time_is_in_the_order_of_time(piriod, rebilly, native, line):
    twelfth, tenth, eleventh = use(line, *DAYS)

    assert ids(piriod("GET", "usages/")) == [eleventh, tenth, twelfth]
    assert ids(piriod("GET", "usages/?date_time__gte=2026-01-01T00:00:00Z")) == [twelfth, eleventh, tenth]
    assert ids(piriod("GET", "usages/?date_time__gte=2026-01-01T00:00:00Z&ordering=date_time")) == [
        tenth,
        eleventh,
        twelfth,
    ]
    listed = decode(rebilly.listed(filter="usageTime:2026-01-01..2026-01-31").content)
    assert [usage["usageTime"][:10] for usage in listed] == ["2026-01-12", "2026-01-11", "2026-01-10"]
    listed = decode(rebilly.listed(filter="usageTime:2026-01-01..2026-01-31", sort="quantity").content)
    assert [usage["usageTime"][:10] for usage in listed] == ["2026-01-11", "2026-01-10", "2026-01-12"]
    pages, _ = pages_of(native, "occurred_from=2026-01-01T00:00:00Z&page_size=1")
    assert pages == [[twelfth], [eleventh], [tenth]]


def test_events_that_are_asked_for_by_time_likewise(sequence):
    for day in DAYS:
        sequence.report("initech", customerEventId=day, eventTimestamp=f"{day}T00:00:00Z")
    query = "?eventTimestampAfter=2026-01-01T00:00:00Z&limit=1"

    seen, cursor = [], ""
    while True:
        answer = sequence("GET", f"usage-events{query}{cursor}").json()
        seen += [event["customerEventId"] for event in answer["items"]]
        if "after" not in answer["pagination"]:
            break
        cursor = f"&after={answer['pagination']['after']}"
    back = sequence("GET", f"usage-events{query}&before={answer['pagination']['before']}").json()["items"]

    assert seen == ["2026-01-12", "2026-01-11", "2026-01-10"]
    assert [event["customerEventId"] for event in back] == ["2026-01-11"]
    received = sequence.events("?eventTimestampAfter=2026-01-01T00:00:00Z&sortBy=createdAt")
    assert [event["customerEventId"] for event in received] == ["2026-01-11", "2026-01-10", "2026-01-12"]


# --- how long


@pytest.mark.bound("LIST_STATEMENT_SECONDS")
@pytest.mark.postgres
def test_what_takes_too_long_is_refused_with_what_to_narrow_it_by(
    piriod, rebilly, sequence, native, salesbricks, line, settings
):
    use(line, "2026-01-10")
    close(line.workspace, "2026-02-01")
    counted = InvoiceLine.objects.get()
    settings.LIST_STATEMENT_SECONDS = 1

    def told(by):
        return f"The list takes longer than 1 s. Narrow it by {by}."

    with connection.execute_wrapper(slowly):
        answers = [
            piriod("GET", "usages/?quantity=5"),
            rebilly.listed(filter="quantity:5"),
            sequence("GET", "usage-events"),
            native.get("usage/?source=api"),
            native.get(f"invoices/{counted.invoice_id}/lines/{counted.position}/records/"),
            salesbricks.read("/entries"),
        ]

    # Ours tells of what is wrong with a query as of a body.
    assert [answer.status_code for answer in answers] == [400, 400, 400, 422, 422, 400]
    assert answers[0].json() == {"non_field_errors": [told("subscription_line, id or date_time")]}
    assert answers[1].json() == problem(400, "Bad Request", told("subscriptionId, id or usageTime"))
    assert answers[2].json() == refused(told("customerAlias, eventType or the events' timestamps"))
    assert answers[3].json()["detail"] == told("line, customer, customer_alias, key or the moments of usage")
    assert answers[4].json()["detail"] == told("page_size")
    assert answers[5].json() == bad_request(told("from and to"))
    assert piriod("GET", "usages/").status_code == 200
