"""Salesbricks v2: the entries of a brick listed, and one read by its transaction."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.keys import forget_trusted
from billing.storage.jsontext import decode
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.clients import ServiceClient
from tests.usage.dialects.salesbricks_v2.client import Salesbricks, bad_request, not_found

pytestmark = pytest.mark.django_db


def ids(response: Any) -> list[str]:
    return [entry["transaction_id"] for entry in decode(response.content)["results"]]


def test_an_entry_is_listed_as_it_was_sent(salesbricks, line):
    sent = salesbricks.entry(value=30, properties={"rate": Decimal("0.1000000000000000055")})
    salesbricks("POST", "usage", sent)

    response = salesbricks.read("/entries")

    assert response.status_code == 200
    assert response.content.decode() == (
        '{"count":1,"next":null,"previous":null,"results":[{"transaction_id":"12345",'
        f'"subscription_id":"{line.subscription_id}","brick_id":"{line.brick_id}","value":30,'
        '"time":"2026-07-16T10:15:30Z","properties":{"rate":0.1000000000000000055}}]}'
    )
    assert salesbricks.read("/entries/").content == response.content


@pytest.mark.parametrize("path", ["usage/transactions/12345", "usage/transactions/12345/"])
def test_an_entry_is_shown_by_its_transaction(salesbricks, path):
    salesbricks.post(properties=[None])
    salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 8})

    response = salesbricks("GET", path)

    assert response.status_code == 200
    assert response.json() == salesbricks.entry(value=8, properties=[None])


def test_a_transaction_id_is_kept_to_the_letter(salesbricks):
    first, second = salesbricks.post(transaction_id="T-1 "), salesbricks.post(transaction_id="T-1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert sorted(ids(salesbricks.read("/entries"))) == ["T-1", "T-1 "]
    assert salesbricks.post(transaction_id="  ").status_code == 400


def test_a_transaction_id_may_be_any_text(line):
    salesbricks = Salesbricks(line)
    salesbricks.post(transaction_id="2026/07 ü?#%")

    # The API description's paths have no slash within a parameter.
    shown = ServiceClient(salesbricks.mount, salesbricks.headers)(
        "GET", "usage/transactions/2026/07%20%C3%BC%3F%23%25/"
    )

    assert shown.json()["transaction_id"] == "2026/07 ü?#%"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("usage/transactions/other", 404, not_found()),
        ("usage/transactions/gone", 404, not_found()),
        ("usage/transactions/theirs", 404, not_found()),
        ("usage/transactions/of-another-dialect", 404, not_found()),
        ("usage/transactions/%00", 400, bad_request(transaction_id="Null characters are not allowed.")),
        (
            f"usage/transactions/{'x' * 256}",
            400,
            bad_request(transaction_id="Ensure this field has no more than 255 characters."),
        ),
    ],
)
def test_a_transaction_that_there_is_not_is_not_found(salesbricks, line, path, status, body):
    make.take_back(make.use(line, "1", "2026-07-16", key="gone", dialect="salesbricks_v2"))
    make.use(make.line(make.workspace("other")), "1", "2026-07-16", key="theirs", dialect="salesbricks_v2")
    make.use(line, "1", "2026-07-16", key="of-another-dialect", dialect="piriod")

    response = salesbricks("GET", path)

    assert (response.status_code, response.json()) == (status, body)


@pytest.fixture
def three(line):
    """Usage of June, of 1 July and of 2 July in New York, reported in another order."""
    for key, quantity, at in [
        ("july-2", "20.5", "2026-07-02 04:00"),
        ("june", "99", "2026-07-01 03:59"),
        ("july-1", "10", "2026-07-02 03:59:59.999999"),
    ]:
        make.use(line, quantity, at, key=key, dialect="salesbricks_v2")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "july-2 july-1 june"),
        ("?from=2026-07-01", "july-2 july-1"),
        ("?to=2026-07-01", "july-1 june"),
        ("?from=2026-07-01&to=2026-07-01", "july-1"),
        ("?from=2026-07-02&to=2026-07-01", ""),
        ("?from=2026-07-02T04:00:00Z", "july-2"),
        ("?to=2026-07-02T04:00:00Z", "july-2 july-1 june"),
        ("?to=2026-07-02T03:59:59.999999Z", "july-1 june"),
        # A time without an offset is the workspace's, as days are.
        ("?from=2026-07-02T00:00:00", "july-2"),
        ("?from=2026-07-01T23:59:59.999999", "july-2 july-1"),
        ("?from=2026-07-02T06:00:00%2B02:00", "july-2"),
        ("?search=&limit=", "july-2 july-1 june"),
    ],
)
def test_entries_are_those_from_a_time_to_another_newest_first(salesbricks, three, query, found):
    assert ids(salesbricks.read(f"/entries{query}")) == found.split()


def test_a_later_change_leaves_an_entry_in_its_place(salesbricks, three, line):
    salesbricks("PATCH", "usage", {"transaction_id": "june", "value": 100})
    salesbricks("DELETE", "usage", {"transaction_id": "july-1"})

    response = salesbricks.read("/entries")

    assert [(entry["transaction_id"], entry["value"]) for entry in response.json()["results"]] == [
        ("july-2", 20.5),
        ("june", 100),
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("job", "job-7 JOB-8"),
        ("Job-7", "job-7"),
        ("region", "seven job-7"),
        ('"region": "eu"', "seven"),
        ('"region":"eu"', "seven"),
        ("a test entry", "JOB-8"),
        ("7", "seven job-7"),
        ("7.0", "seven"),
        ("8.250", "quarter"),
        ("%25", ""),
        ("_", ""),
        ("1e400", ""),
        ("9" * 60, ""),
    ],
)
def test_entries_are_found_by_transaction_properties_or_value(salesbricks, line, search, found):
    salesbricks.post(transaction_id="job-7", value=1, time="2026-07-01T00:00:00Z", properties={"region": "us"})
    salesbricks.post(transaction_id="seven", value=7, time="2026-07-02T00:00:00Z", properties={"region": "eu", "n": 1})
    salesbricks.post(transaction_id="JOB-8", value=8, time="2026-06-30T00:00:00Z", properties="this is a test entry")
    make.use(line, "8.25", "2026-06-29", key="quarter", dialect="salesbricks_v2")

    assert ids(salesbricks.read(f"/entries?search={search}")) == found.split()


def test_entries_are_paged(salesbricks, line):
    for n in range(1, 6):
        make.use(line, str(n), f"2026-07-0{n}", key=str(n), dialect="salesbricks_v2")

    first = salesbricks.read("/entries?limit=2&from=2026-06-30").json()
    middle = salesbricks.read("/entries?limit=2&from=2026-06-30&offset=2").json()
    last = salesbricks.read("/entries?limit=2&from=2026-06-30&offset=4").json()
    beyond = salesbricks.read("/entries?offset=1000000").json()

    here = f"http://testserver/salesbricks/api/v2/{salesbricks.usage_path}/entries?from=2026-06-30&limit=2"
    assert (first["count"], first["previous"], first["next"]) == (5, None, f"{here}&offset=2")
    assert (middle["previous"], middle["next"]) == (here, f"{here}&offset=4")
    assert (last["previous"], last["next"]) == (f"{here}&offset=2", None)
    assert [entry["value"] for page in (first, middle, last) for entry in page["results"]] == [5, 4, 3, 2, 1]
    assert (beyond["count"], beyond["results"]) == (5, [])


@pytest.mark.bound("rows of a page")
@pytest.mark.parametrize(("query", "shown"), [("", 25), ("?limit=1", 1), ("?limit=100", 100), ("?limit=1000", 100)])
def test_a_page_has_twenty_five_entries_and_at_most_a_hundred(salesbricks, line, query, shown):
    for n in range(101):
        make.use(line, "1", "2026-07-01", key=str(n), dialect="salesbricks_v2")

    assert len(ids(salesbricks.read(f"/entries{query}"))) == shown


WRONG_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("from=yesterday", WRONG_MOMENT),
        ("from=2026-02-30", WRONG_MOMENT),
        ("to=2026-07-01T25:00:00Z", WRONG_MOMENT),
        ("to=2026-07-01T00:00:00 02:00", WRONG_MOMENT),
        ("from=%00", WRONG_MOMENT),
        ("from=0001-01-01", "Datetime is out of range."),
        ("to=9999-12-31", "Datetime is out of range."),
        ("to=9999-12-31T23:59:59.999999Z", "Datetime is out of range."),
        (
            "from=2026-03-08T02:30:00",
            "There is no such time in America/New_York: the clock skips it.",
        ),
        ("limit=0", "Ensure this value is greater than or equal to 1."),
        ("limit=many", "A valid integer is required."),
        ("offset=-1", "Ensure this value is greater than or equal to 0."),
        (f"offset={'9' * 5000}", "String value too large."),
        ("search=%00", "Null characters are not allowed."),
        (f"search={'x' * 256}", "Ensure this field has no more than 255 characters."),
    ],
)
def test_a_bad_query_is_named(salesbricks, query, error):
    response = salesbricks.read(f"/entries?{query}")

    assert (response.status_code, response.json()) == (400, bad_request(**{query.partition("=")[0]: error}))


@pytest.mark.parametrize("query", ["from=0002-01-01&to=9998-12-31", "to=0002-01-01", "from=9998-12-31T23:59:59Z"])
def test_the_ends_of_the_calendar_can_be_asked_for(salesbricks, query):
    assert salesbricks.read(f"/entries?{query}").status_code == 200


def test_events_are_no_entries(line):
    initech = make.customer(line.workspace, "Initech", aliases=("initech",))
    counting = make.counting_line(initech, make.event_brick(line.workspace), starts_on=date(2026, 7, 1))
    salesbricks = Salesbricks(counting)
    make.event(line.workspace, "initech", "2026-07-02", key="12345", dialect="salesbricks_v2")

    assert salesbricks.read("/entries").json()["results"] == []
    assert salesbricks("GET", "usage/transactions/12345").status_code == 404
    # What it counts is its usage all the same.
    assert [period["used"] for period in salesbricks.read().json()] == [1]


def test_only_the_bricks_own_entries_with_a_transaction_are_listed(salesbricks, line):
    make.use(line, "1", "2026-07-01", key="ours", dialect="salesbricks_v2")
    make.use(line, "2", "2026-07-01", dialect="salesbricks_v2")
    make.use(line, "3", "2026-07-01", key="piriods", dialect="piriod")
    make.use(make.line(line.workspace), "4", "2026-07-01", key="of another brick", dialect="salesbricks_v2")
    other = make.line(make.workspace("other"))
    make.use(other, "5", "2026-07-01", key="theirs", dialect="salesbricks_v2")

    assert ids(salesbricks.read("/entries")) == ["ours"]
    response = Salesbricks(other, key=salesbricks.headers["x-salesbricks-key"]).read("/entries")
    assert (response.status_code, response.json()) == (404, not_found("Unknown subscription or brick."))


def test_entries_of_both_lines_are_listed_when_the_price_was_changed(salesbricks, line):
    make.use(line, "1", "2026-07-09 12:00", key="before", dialect="salesbricks_v2")
    changed_at = make.moment("2026-07-10")
    contracts.end_line(line=line, ends_at=changed_at, actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=changed_at,
        actor=make.ACTOR,
    )
    salesbricks.post(transaction_id="after", time="2026-07-10T00:00:00Z")

    assert ids(salesbricks.read("/entries")) == ["after", "before"]


@pytest.mark.parametrize("path", ["/entries", "", "/series"])
def test_a_brick_that_is_not_metered_has_no_usage(path):
    seats = make.line(aggregation="none", model="flat", starts_on=date(2026, 7, 1))

    response = Salesbricks(seats).read(path)

    message = "This line is not metered: it takes no usage."
    assert (response.status_code, response.json()) == (400, bad_request(message, brick_id=message))


@pytest.mark.parametrize("entries", [1, 3])
def test_a_list_takes_the_same_four_queries(salesbricks, line, entries):
    for n in range(entries):
        make.fix(make.use(line, "1", "2026-07-01", key=str(n), dialect="salesbricks_v2"), "2")
    salesbricks.read("/entries")
    forget_trusted()

    with CaptureQueriesContext(connection) as queries:
        response = salesbricks.read("/entries?search=2&from=2026-06-01")

    assert response.status_code == 200
    assert len(about_rows(queries)) == 4


def test_an_entry_takes_the_same_two_queries(salesbricks, django_assert_num_queries):
    salesbricks.post()
    forget_trusted()

    with django_assert_num_queries(2):
        assert salesbricks("GET", "usage/transactions/12345").status_code == 200
