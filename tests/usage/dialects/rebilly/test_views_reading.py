"""Rebilly: usages read one by one and as a list, in pages and in order, and deleted."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.storage.jsontext import decode
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.rebilly.client import MOUNT, Rebilly, named, problem, unreadable
from usage.dialects.rebilly import identifiers
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NOT_FOUND = (404, problem(404, "Not Found", "Not found."))


@pytest.fixture
def line():
    return named(make.line(), "sub_1")


@pytest.fixture
def rebilly(line):
    return Rebilly(make.api_key(line.workspace))


def known_as(record):
    return identifiers.shown(identifiers.USAGE, record.handle)


def use(line, *quantities):
    """Record quantities, a day after another; return the ids that Rebilly's clients know."""
    return [known_as(make.use(line, quantity, f"2026-07-{day:02}")) for day, quantity in enumerate(quantities, 1)]


def counted(headers):
    return [int(headers[f"Pagination-{name}"]) for name in ("Total", "Limit", "Offset")]


# --- one usage


def test_a_usage_is_shown_by_its_id(rebilly, line):
    posted = rebilly.post(line.reference, quantity=Decimal("5.125"))

    response = rebilly("GET", f"/usages/{posted.json()['id']}")

    assert (response.status_code, response.content) == (200, posted.content)


def test_a_usage_corrected_in_the_panel_stays_under_its_id(rebilly, line):
    recorded = make.use(line, "7", "2026-07-15 12:00")
    make.fix(recorded, "8.5", at="2026-07-14", recorded_at="2026-07-16 12:00")

    shown = {
        "id": known_as(recorded),
        "subscriptionId": "sub_1",
        "invoiceId": None,
        "invoiceItemId": None,
        "quantity": 8.5,
        "usageTime": "2026-07-14T00:00:00Z",
        "createdTime": "2026-07-15T12:00:00Z",
        "updatedTime": "2026-07-16T12:00:00Z",
        "_links": [{"href": f"http://testserver{MOUNT}/usages/{known_as(recorded)}", "rel": "self"}],
    }
    assert rebilly("GET", f"/usages/{shown['id']}").json() == shown
    assert rebilly.listed().json() == [shown]
    assert rebilly("DELETE", f"/usages/{shown['id']}").status_code == 204
    assert rebilly.ids() == []


def test_a_correction_is_not_known_by_a_number_of_its_own(rebilly, line):
    recorded = make.use(line, "7", "2026-07-15")
    correction = make.fix(recorded, "8")

    response = rebilly("GET", f"/usages/{identifiers.shown(identifiers.USAGE, correction.id)}")

    assert (response.status_code, response.json()) == NOT_FOUND


def test_a_deleted_usage_is_retracted_and_gone(rebilly, line):
    usage = rebilly.post(line.reference).json()["id"]

    deleted = rebilly("DELETE", f"/usages/{usage}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert list(UsageRecord.objects.order_by("id").values_list("kind", flat=True)) == ["entry", "retraction"]
    for method in ("GET", "DELETE"):
        again = rebilly(method, f"/usages/{usage}")
        assert (again.status_code, again.json()) == NOT_FOUND


@pytest.mark.parametrize(
    "text",
    [
        "{number}",
        "sub_usg_{number}",
        "in_{digits}",
        "sub_usg_sub_usg_{digits}",
        "SUB_USG_{digits}",
        "sub_usg_{digits}0",
        "sub_usg_0{digits}",
        "sub_usg_{digits}%0A",
        "sub_usg_0000000000000000000000000U",
        "sub_usg_0000000000000000000000000l",
        "sub_usg_00000000000000000000000000",
        "sub_usg_ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "sub_usg_00000000000008000000000000",
        "%00",
        "٣",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_no_id_of_ours_is_not_found(rebilly, line, method, text):
    (digits,) = (usage.removeprefix("sub_usg_") for usage in use(line, "1"))
    number = UsageRecord.objects.get().pk

    response = rebilly(method, f"/usages/{text.format(number=number, digits=digits)}")

    assert (response.status_code, response.json()) == NOT_FOUND


@pytest.mark.parametrize("number", [0, 1, 31, 32, 1023, 2**62 + 12345, 2**63 - 1])
def test_an_id_leads_back_to_its_number(number):
    shown = identifiers.shown(identifiers.USAGE, number)

    assert len(shown) == 34
    assert identifiers.known(identifiers.USAGE, shown) == number


def test_digits_are_crockfords():
    # 2026 = 1 x 32^2 + 31 x 32 + 10.
    assert identifiers.shown("in_", 2026) == "in_" + "0" * 23 + "1ZA"
    assert identifiers.shown("ii_", 18) == "ii_" + "0" * 25 + "J"


# --- lists


def test_a_list_is_an_array_the_newest_first(rebilly, line):
    usages = use(line, "1", "2", "3")

    response = rebilly.listed()

    assert [usage["id"] for usage in response.json()] == usages[::-1]
    assert counted(response.headers) == [3, 100, 0]


def test_a_list_shows_what_came_by_other_ways_but_no_events(rebilly, line):
    make.use(line, "5", "2026-07-01", source="panel", dialect="panel")
    make.use(line, "0.123456789", "2026-07-02", dialect="salesbricks_v2", key="k")
    UsageRecord.objects.create(
        workspace=line.workspace,
        customer_alias="globex",
        event_type="call",
        occurred_at=make.moment("2026-07-03"),
        recorded_at=make.moment("2026-07-03"),
        is_late=False,
        kind="entry",
        source="api",
        dialect="sequence",
        recorded_by="tests",
    )

    quantities = [usage["quantity"] for usage in decode(rebilly.listed().content)]

    assert quantities == [Decimal("0.123456789"), Decimal("5.0")]


def test_pages_neither_repeat_nor_skip(rebilly, line):
    for _ in range(5):
        make.use(line, "1", "2026-07-01")

    pages = [rebilly.listed(sort="quantity", limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert [counted(page.headers) for page in pages] == [[5, 2, 0], [5, 2, 2], [5, 2, 4], [5, 2, 6]]
    assert [len(page.json()) for page in pages] == [2, 2, 1, 0]
    assert [usage["id"] for page in pages for usage in page.json()] == rebilly.ids(sort="quantity")


def test_a_limit_of_zero_tells_the_total_alone(rebilly, line):
    use(line, "1", "2")

    response = rebilly.listed(limit=0)

    assert (response.json(), counted(response.headers)) == ([], [2, 0, 0])


@pytest.mark.bound("rows of a page")
@pytest.mark.parametrize("limit", ["-1", "1001", "ten", "1.5", "٣", "9" * 30])
def test_a_limit_that_is_none_is_named(rebilly, limit):
    response = rebilly.listed(limit=limit)

    assert (response.status_code, response.json()) == (400, unreadable(limit="Must be a whole number from 0 to 1000."))


def test_everything_wrong_with_a_query_is_named(rebilly):
    response = rebilly.listed(filter="price:1", sort="price", limit="x", offset="-1", q="%00")

    assert response.status_code == 400
    named = [invalid["field"] for invalid in response.json()["invalidFields"]]
    assert named == ["filter", "sort", "limit", "offset", "q"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", "4 3 2 1"),
        ("id", "1 2 3 4"),
        ("-id", "4 3 2 1"),
        ("quantity", "4 2 3 1"),
        ("-quantity", "1 3 2 4"),
        ("usageTime", "2 1 4 3"),
        ("-usageTime,quantity", "4 3 1 2"),
        ("subscriptionId,id", "3 4 1 2"),
        (" -subscriptionId , -quantity ", "1 2 3 4"),
        ("-createdTime", "4 3 2 1"),
        ("updatedTime", "1 3 4 2"),
        ("-updatedTime", "2 4 3 1"),
    ],
)
def test_a_list_is_sorted_by_several_fields(rebilly, line, sort, expected):
    early = named(make.line(line.workspace), "sub_0")
    make.use(line, "10", "2026-07-02", recorded_at="2026-07-11")
    second = make.use(line, "9", "2026-07-01", recorded_at="2026-07-12")
    make.use(early, "9.5", "2026-07-03", recorded_at="2026-07-13")
    make.use(early, "1", "2026-07-03", recorded_at="2026-07-14")
    make.fix(second, "9", recorded_at="2026-07-15")
    if sort == "":
        # Corrected, it is the newest again.
        expected = "2 4 3 1"
    first = second.id - 1

    shown = [identifiers.known(identifiers.USAGE, usage) - first + 1 for usage in rebilly.ids(sort=sort)]

    assert " ".join(map(str, shown)) == expected


@pytest.mark.parametrize("sort", ["price", "--id", "id,", ",", "id;quantity", "invoiceId", "ID"])
def test_a_sort_that_is_none_is_named(rebilly, sort):
    response = rebilly.listed(sort=sort)

    assert response.status_code == 400
    assert [invalid["field"] for invalid in response.json()["invalidFields"]] == ["sort"]


def test_q_finds_a_part_of_a_reference(rebilly, line):
    other = named(make.line(line.workspace), "sub_Other_2")
    other.subscription.reference = "whole-77"
    other.subscription.save(update_fields=["reference"])
    (mine,), (theirs,) = use(line, "1"), use(other, "2")

    assert rebilly.ids(q="sub_") == [theirs, mine]
    assert rebilly.ids(q="oTHER") == [theirs]
    assert rebilly.ids(q="le-7") == [theirs]
    assert rebilly.ids(q="%25") == rebilly.ids(q="nothing") == []


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_takes_a_fixed_number_of_queries(rebilly, line, rows):
    use(line, *["1"] * rows)
    rebilly.listed()

    with CaptureQueriesContext(connection) as queries:
        response = rebilly.listed(filter=f"subscriptionId:{line.reference};quantity:1..", sort="-usageTime")

    assert len(response.json()) == rows
    # The line, how many there are, the page, on which invoices they are.
    assert len(about_rows(queries)) == 4
