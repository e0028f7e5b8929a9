"""Piriod: usages read one by one and as a list, and deleted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.keys import forget_trusted
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.piriod.client import ids
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_a_usage_is_shown_by_its_id(piriod, line):
    posted = piriod.post(line.number)

    response = piriod("GET", f"usages/{posted.json()['id']}/")

    assert response.status_code == 200
    assert response.json() == posted.json()


def test_a_usage_corrected_in_the_panel_stays_under_its_id(piriod, line):
    recorded = make.use(line, "7", "2026-07-15 12:00")
    make.fix(recorded, "8.5", recorded_at="2026-07-16 12:00")

    shown = {
        "id": recorded.id,
        "subscription_line": line.number,
        "date_time": "2026-07-15T08:00:00-04:00",
        "quantity": 8.5,
        "creation_scheme": "panel",
        "created": "2026-07-16T08:00:00-04:00",
    }
    assert piriod("GET", f"usages/{recorded.id}/").json() == shown
    assert piriod("GET", "usages/").json() == {"count": 1, "next": None, "previous": None, "results": [shown]}
    assert piriod("DELETE", f"usages/{recorded.id}/").status_code == 204
    assert ids(piriod("GET", "usages/")) == []


def test_a_deleted_usage_is_retracted_and_gone(piriod, line):
    usage_id = piriod.post(line.number).json()["id"]

    deleted = piriod("DELETE", f"usages/{usage_id}/")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert list(UsageRecord.objects.order_by("id").values_list("kind", flat=True)) == ["entry", "retraction"]
    for method in ("GET", "DELETE"):
        again = piriod(method, f"usages/{usage_id}/")
        assert (again.status_code, again.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("usage_id", ["0", "999999", "abc", "-1", "1.5", "9223372036854775808", "9" * 5000, "١"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_no_usage_has_is_not_found(piriod, method, usage_id):
    response = piriod(method, f"usages/{usage_id}/")

    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


def test_a_list_is_paged_newest_first(piriod, line):
    recorded = [make.use(line, str(n), "2026-07-01").id for n in range(1, 6)]

    first = piriod("GET", "usages/?page_size=2").json()
    middle = piriod("GET", "usages/?page_size=2&page=2").json()
    last = piriod("GET", "usages/?page_size=2&page=3").json()

    pages = "http://testserver/piriod/usages/?page{}page_size=2"
    assert (first["count"], first["previous"], first["next"]) == (5, None, pages.format("=2&"))
    assert (middle["previous"], middle["next"]) == ("http://testserver/piriod/usages/?page_size=2", pages.format("=3&"))
    assert (last["previous"], last["next"]) == (pages.format("=2&"), None)
    assert [usage["id"] for page in (first, middle, last) for usage in page["results"]] == recorded[::-1]


@pytest.mark.bound("rows of a page")
@pytest.mark.parametrize(
    ("query", "shown"), [("", 20), ("?page_size=1", 1), ("?page_size=1000", 100), ("?page_size=0", 20)]
)
def test_a_page_has_twenty_usages_and_at_most_a_hundred(piriod, line, query, shown):
    for _ in range(102):
        make.use(line, "1", "2026-07-01")

    assert len(ids(piriod("GET", f"usages/{query}"))) == shown


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "9" * 5000])
def test_a_page_out_of_range_is_not_found(piriod, line, page):
    response = piriod("GET", f"usages/?page={page}")

    assert (response.status_code, response.json()) == (404, {"detail": "Invalid page."})


@pytest.fixture
def three(line):
    """Ids of a corrected one of 30 units in February, one of 10 in March, one of 20.5 in January."""
    first = make.use(line, "99", "2026-02-15 12:00", recorded_at="2026-06-01")
    second = make.use(line, "10", "2026-03-15 12:00", recorded_at="2026-06-02", source="file")
    third = make.use(line, "20.5", "2026-01-15 12:00", recorded_at="2026-06-03")
    make.fix(first, "30", recorded_at="2026-06-04")
    return {"february": first.id, "march": second.id, "january": third.id}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "february january march"),
        ("ordering=id", "february march january"),
        ("ordering=-id", "january march february"),
        ("ordering=date_time", "january february march"),
        ("ordering=-date_time", "march february january"),
        ("ordering=quantity", "march january february"),
        ("ordering=-created", "february january march"),
        ("ordering=creation_scheme", None),
        ("quantity=30", "february"),
        ("quantity=20.500", "january"),
        ("quantity=99", ""),
        ("creation_scheme=panel", "february"),
        ("creation_scheme=file", "march"),
        ("date_time=2026-03-15T12:00:00Z", "march"),
        ("date_time=2026-03-15T09:00:00", "march"),
        ("date_time__gte=2026-02-15T12:00:00Z&ordering=id", "february march"),
        ("date_time__gt=2026-02-15T12:00:00Z", "march"),
        ("date_time__lte=2026-02-15+09:00:00&ordering=id", "february january"),
        ("date_time__lt=2026-02-15T12:00:00Z", "january"),
        ("subscription_line={line}&ordering=id", "february march january"),
        ("subscription_line=0", ""),
        ("ordering=&page=1&page_size=", "february january march"),
        ("id__in={february},{january}&ordering=id", "february january"),
        ("id={march}", "march"),
        ("id={correction}", ""),
        ("subscription_line__in={line},999999&ordering=id", "february march january"),
        ("subscription_line__in=999999", ""),
        ("quantity__gte=20.5&ordering=id", "february january"),
        ("quantity__gt=20.5", "february"),
        ("quantity__lte=20.5&ordering=id", "march january"),
        ("quantity__lt=20.5", "march"),
        ("quantity__in=10,30.0&ordering=id", "february march"),
        ("creation_scheme__in=panel,file&ordering=id", "february march"),
        ("created__gte=2026-06-02&created__lt=2026-06-03T00:00:00-04:00", "january"),
        # A day is its beginning in the workspace's zone, four hours behind in February.
        ("date_time__gte=2026-02-15&date_time__lt=2026-02-16", "february"),
        ("date_time=2026-02-15T09:00:00 -0300", "february"),
    ],
)
def test_a_list_is_ordered_and_filtered(piriod, line, three, query, found):
    query = query.format(line=line.number, correction=UsageRecord.objects.latest("id").pk, **three)

    response = piriod("GET", f"usages/?{query}")

    if found is None:
        assert response.status_code == 400
        assert response.json() == {
            "ordering": ["Select a valid choice. creation_scheme is not one of the available choices."]
        }
    else:
        assert ids(response) == [three[month] for month in found.split()]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("subscription_line=abc", "Enter a whole number."),
        ("subscription_line=%00", "Enter a whole number."),
        (f"subscription_line={2**63}", f"Ensure this value is less than or equal to {2**63 - 1}."),
        ("quantity=abc", "Enter a number."),
        ("quantity=NaN", "Enter a number."),
        # What a body may not hold either, and Python reads.
        ("subscription_line=1_0", "Enter a whole number."),
        ("subscription_line=%D9%A1", "Enter a whole number."),
        ("id__in=1,1_0", "Enter a whole number."),
        ("quantity__gte=1_0", "Enter a number."),
        ("quantity__in=1e2", "Enter a number."),
        (f"quantity={10**39}", "Ensure that there are no more than 24 digits in total."),
        ("quantity=0.0000000001", "Ensure that there are no more than 9 decimal places."),
        (
            "date_time=yesterday",
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
        ),
        ("date_time__gte=9999-12-31T23:59:59-12:00", "Datetime is out of range."),
        ("subscription_line__in=3,x", "Enter a whole number."),
        ("subscription_line__in=", "This parameter may not be empty."),
        ("subscription_line__in=,", "Give values separated by commas."),
        ("subscription_line__in=3,,4", "Give values separated by commas."),
        ("subscription_line__in=" + ",".join(["3"] * 101), "Give at most 100 values."),
        ("quantity__gte=abc", "Enter a number."),
        ("subscription_line=", "This parameter may not be empty."),
        ("quantity__gte=", "This parameter may not be empty."),
        ("date_time__lt=", "This parameter may not be empty."),
        ("creation_scheme=", "This parameter may not be empty."),
        ("id=", "This parameter may not be empty."),
        ("subscription_line__gte=3", "Unknown parameter."),
        ("subscription_line[]=3", "Unknown parameter."),
        ("quantity__gtt=5", "Unknown parameter."),
        ("date_time__date=2026-02-15", "Unknown parameter."),
        ("metadata__key=1", "Unknown parameter."),
        ("subscription_line=3&subscription_line=4", "Give this parameter once."),
        ("creation_scheme=fax", "Select a valid choice. fax is not one of the available choices."),
    ],
)
def test_a_bad_filter_is_named(piriod, query, error):
    response = piriod("GET", f"usages/?{query}")

    assert (response.status_code, response.json()) == (400, {query.partition("=")[0]: [error]})


@pytest.mark.parametrize("records", [1, 3])
def test_a_list_takes_the_same_four_queries(piriod, line, records):
    for _ in range(records):
        make.fix(make.use(line, "1", "2026-07-01"), "2")
    piriod("GET", "usages/")
    forget_trusted()

    with CaptureQueriesContext(connection) as queries:
        response = piriod("GET", "usages/?ordering=id")

    assert len(ids(response)) == records
    # The key, how many are counted, how many there are behind them, the page.
    assert len(about_rows(queries)) == 4


def test_events_are_no_usages(piriod, line):
    make.customer(line.workspace, "Initech", aliases=("initech",))
    matched = make.event(line.workspace, "initech", "2026-07-01")
    unmatched = make.event(line.workspace, "nobody we know", "2026-07-01")

    assert piriod("GET", "usages/").json() == {"count": 0, "next": None, "previous": None, "results": []}
    for event in (matched, unmatched):
        for method in ("GET", "DELETE"):
            assert piriod(method, f"usages/{event.handle}/").status_code == 404
    assert UsageRecord.objects.live().count() == 2
