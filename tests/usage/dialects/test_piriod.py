from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.exact import ExactSum
from billing.jsontext import decode
from billing.keys import forget_trusted
from tests import factories as make
from tests.usage.dialects.clients import NOW, ServiceClient
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def line():
    return make.line(make.workspace("acc_01H8XYZ123ABC", time_zone="America/Santiago"))


class Piriod(ServiceClient):
    def __init__(self, key: str, workspace: str = "acc_01H8XYZ123ABC", test_mode: str | None = None) -> None:
        headers = {"authorization": f"Token {key}", "x-simple-workspace": workspace}
        super().__init__("/piriod/", headers if test_mode is None else headers | {"x-piriod-test-mode": test_mode})

    def post(self, line_id: int, **fields: Any) -> Any:
        return self("POST", "usages/", {"subscription_line": line_id, "date_time": NOW, "quantity": 7, **fields})


@pytest.fixture
def piriod(line):
    return Piriod(make.api_key(line.workspace))


def ids(response: Any) -> list[int]:
    return [usage["id"] for usage in decode(response.content)["results"]]


def test_a_usage_is_recorded_and_shown_with_the_workspaces_offset(piriod, line):
    response = piriod.post(line.pk, date_time="2026-07-15T12:00:00Z", quantity=7)

    record = UsageRecord.objects.get()
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert response.content.decode() == (
        f'{{"id":{record.pk},"subscription_line":{line.pk},"date_time":"2026-07-15T08:00:00-04:00",'
        '"quantity":7.0,"creation_scheme":"api","created":"2026-07-20T10:00:00-04:00"}'
    )
    assert (record.workspace_id, record.line_id, record.quantity) == (line.workspace_id, line.pk, 7)
    assert (record.occurred_at, record.recorded_at) == (
        make.moment("2026-07-15 12:00"),
        make.moment("2026-07-20 14:00"),
    )
    assert (record.source, record.dialect, record.key) == ("api", "piriod", None)
    assert record.recorded_by.startswith("key ark_live_")
    assert record.recorded_by.endswith("… (a service)")


def test_the_same_request_twice_makes_two_usages(piriod, line):
    first, second = piriod.post(line.pk), piriod.post(line.pk)

    assert (first.status_code, second.status_code) == (201, 201)
    assert UsageRecord.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "in_utc"),
    [
        ("2026-07-15T12:00:00+02:00", "2026-07-15 10:00:00"),
        ("2026-07-15T12:00:00", "2026-07-15 16:00:00"),
        ("2026-07-15 12:00:00", "2026-07-15 16:00:00"),
        ("2026-07-15 12:00", "2026-07-15 16:00:00"),
        ("2026-07-15t12:00:00.25z", "2026-07-15 12:00:00.250000"),
        ("2026-02-01 00:00:00", "2026-02-01 03:00:00"),
    ],
)
def test_times_without_an_offset_are_in_the_workspaces_zone(piriod, line, sent, in_utc):
    piriod.post(line.pk, date_time=sent)

    assert UsageRecord.objects.get().occurred_at == make.moment(in_utc)


def test_a_time_that_the_clock_skipped_is_refused(piriod, line):
    # In Chile, 6 September 2026 begins at one o'clock.
    response = piriod.post(line.pk, date_time="2026-09-06 00:30:00")

    assert response.status_code == 400
    assert response.json() == {
        "date_time": ["There is no such time in America/Santiago: the clock was put forward over it."]
    }


@pytest.mark.parametrize(
    ("sent", "stored", "shown"),
    [
        ("7", "7", "7.0"),
        ("7.5", "7.5", "7.5"),
        ("0.1", "0.1", "0.1"),
        ("0.000000001", "0.000000001", "0.000000001"),
        ("1e3", "1000", "1000.0"),
        ("123456789012345.123456789", "123456789012345.123456789", "123456789012345.123456789"),
        ("-3.50", "-3.5", "-3.5"),
        ("-0.0", "0", "0.0"),
        ("0e999999", "0", "0.0"),
        ('"12.25"', "12.25", "12.25"),
        ("1.0000000000000000000000000000000000000000", "1", "1.0"),
    ],
)
def test_quantities_keep_their_digits(piriod, line, sent, stored, shown):
    body = f'{{"subscription_line":{line.pk},"date_time":"{NOW}","quantity":{sent}}}'
    response = piriod("POST", "usages/", body)
    listed = piriod("GET", "usages/")

    assert response.status_code == 201
    assert UsageRecord.objects.get().quantity == Decimal(stored)
    assert f'"quantity":{shown},' in response.content.decode()
    assert decode(listed.content)["results"] == [decode(response.content)]
    assert f'"quantity":{shown},' in listed.content.decode()


def test_a_tenth_and_two_tenths_are_three_tenths(piriod, line):
    for quantity in ("0.1", "0.2"):
        piriod.post(line.pk, quantity=Decimal(quantity))

    assert UsageRecord.objects.aggregate(total=ExactSum("quantity")) == {"total": Decimal("0.3")}


def test_a_gauge_refuses_a_negative_quantity(line):
    gauge = make.line(make.workspace("gauged"), aggregation="unit_days")

    response = Piriod(make.api_key(gauge.workspace), "gauged").post(gauge.pk, quantity=-1)

    assert response.status_code == 400
    assert response.json() == {"quantity": ["A gauge can't be negative."]}


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (9, 'Invalid pk "9" - object does not exist.'),
        ("9", 'Invalid pk "9" - object does not exist.'),
        (0, 'Invalid pk "0" - object does not exist.'),
        (-1, 'Invalid pk "-1" - object does not exist.'),
        (2**63 - 1, 'Invalid pk "9223372036854775807" - object does not exist.'),
        (2**63, 'Invalid pk "9223372036854775808" - object does not exist.'),
        (Decimal("1E+999999999"), 'Invalid pk "1E+999999999" - object does not exist.'),
        (Decimal("1.5"), 'Invalid pk "1.5" - object does not exist.'),
        (True, "Incorrect type. Expected pk value, received bool."),
        ("abc", "Incorrect type. Expected pk value, received str."),
        ([1], "Incorrect type. Expected pk value, received list."),
        (None, "This field may not be null."),
    ],
)
def test_a_line_that_there_is_not_is_a_bad_field(piriod, line, sent, error):
    response = piriod.post(sent)

    assert response.status_code == 400
    assert response.json() == {"subscription_line": [error]}
    assert UsageRecord.objects.count() == 0


def test_a_line_of_a_plan_that_is_not_metered_is_refused(piriod, line):
    seats = make.line(line.workspace, aggregation="none", model="flat")

    response = piriod.post(seats.pk)

    assert response.status_code == 400
    assert response.json() == {
        "subscription_line": ["The plan of this subscription line must have usage_scheme=metered."]
    }


def test_usage_outside_the_lines_life_is_refused(piriod):
    ended = make.line(make.workspace("ended"), ends_on=date(2026, 7, 1))
    client = Piriod(make.api_key(ended.workspace), "ended")

    response = client.post(ended.pk, date_time="2026-07-01T00:00:00Z")

    assert response.status_code == 400
    assert response.json() == {
        "date_time": [
            "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-07-01T00:00:00+00:00."
        ]
    }
    assert client.post(ended.pk, date_time="2026-06-30T23:59:59.999999Z").status_code == 201


def test_every_missing_field_is_named(piriod):
    response = piriod("POST", "usages/", {})

    assert response.status_code == 400
    assert response.json() == {
        "subscription_line": ["This field is required."],
        "date_time": ["This field is required."],
        "quantity": ["This field is required."],
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"x-simple-workspace": ""}, 400, {"non_field_errors": ["x-simple-workspace header is required."]}),
        ({"x-simple-workspace": "acc_other"}, 403, {"detail": "You do not have permission to perform this action."}),
        (
            {"x-piriod-test-mode": "yes"},
            400,
            {"non_field_errors": ["x-piriod-test-mode header must be true or false."]},
        ),
        # An error of the key is told before any of the workspace.
        (
            {"x-simple-workspace": "", "authorization": ""},
            401,
            {"detail": "Authentication credentials were not provided."},
        ),
        ({"x-simple-workspace": "", "authorization": "Token x"}, 401, {"detail": "Invalid token."}),
        ({"authorization": "Bearer x"}, 401, {"detail": "Authentication credentials were not provided."}),
        ({"authorization": "Token"}, 401, {"detail": "Invalid token."}),
    ],
)
def test_headers_are_checked_in_order(piriod, method, headers, status, body):
    make.workspace("acc_other")
    piriod.headers |= headers

    response = piriod(method, "usages/")

    assert (response.status_code, response.json()) == (status, body)
    assert response.headers.get("WWW-Authenticate") == ("Token" if status == 401 else None)


def test_test_mode_leads_to_the_twin_alone(piriod, line):
    twin = make.line(line.workspace.twin)
    key = piriod.headers["authorization"].removeprefix("Token ")
    testing = Piriod(key, test_mode="true")

    recorded = testing.post(twin.pk)

    assert recorded.status_code == 201
    assert UsageRecord.objects.get().workspace == line.workspace.twin
    assert ids(testing("GET", "usages/")) == [recorded.json()["id"]]
    assert ids(piriod("GET", "usages/")) == []
    assert ids(Piriod(key, test_mode="False")("GET", "usages/")) == []
    assert testing.post(line.pk).json() == {"subscription_line": [f'Invalid pk "{line.pk}" - object does not exist.']}
    assert piriod("GET", f"usages/{recorded.json()['id']}/").status_code == 404
    assert piriod("DELETE", f"usages/{recorded.json()['id']}/").status_code == 404
    assert testing("DELETE", f"usages/{recorded.json()['id']}/").status_code == 204


@pytest.mark.parametrize(("test_mode", "status"), [("true", 200), ("false", 403), (None, 403)])
def test_a_key_of_the_twin_needs_test_mode(line, test_mode, status):
    key = make.api_key(line.workspace.twin)

    assert Piriod(key, test_mode=test_mode)("GET", "usages/").status_code == status


def test_a_usage_is_shown_by_its_id(piriod, line):
    posted = piriod.post(line.pk)

    response = piriod("GET", f"usages/{posted.json()['id']}/")

    assert response.status_code == 200
    assert response.json() == posted.json()


def test_a_usage_corrected_in_the_panel_stays_under_its_id(piriod, line):
    recorded = make.use(line, "7", "2026-07-15 12:00")
    make.fix(recorded, "8.5", recorded_at="2026-07-16 12:00")

    shown = {
        "id": recorded.id,
        "subscription_line": line.pk,
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
    usage_id = piriod.post(line.pk).json()["id"]

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


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "1/"), ("PATCH", "1/"), ("POST", "1/"), ("PUT", ""), ("DELETE", ""), ("OPTIONS", "")],
)
def test_other_methods_are_not_allowed(piriod, method, path):
    response = piriod(method, f"usages/{path}", {})

    assert (response.status_code, response.json()) == (405, {"detail": f'Method "{method}" not allowed.'})


def test_a_path_that_is_not_served_is_not_found(piriod):
    for path in ("", "usages", "invoices/", "usages/1/lines/"):
        response = piriod("POST", path)
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
        ("unknown=1&quantity=", "february january march"),
    ],
)
def test_a_list_is_ordered_and_filtered(piriod, line, three, query, found):
    response = piriod("GET", f"usages/?{query.format(line=line.pk)}")

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
        ("quantity=1e40", "Ensure that there are no more than 24 digits in total."),
        ("quantity=0.0000000001", "Ensure that there are no more than 9 decimal places."),
        (
            "date_time=yesterday",
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
        ),
        ("date_time__gte=9999-12-31T23:59:59-12:00", "Datetime is out of range."),
        ("creation_scheme=fax", "Select a valid choice. fax is not one of the available choices."),
    ],
)
def test_a_bad_filter_is_named(piriod, query, error):
    response = piriod("GET", f"usages/?{query}")

    assert (response.status_code, response.json()) == (400, {query.partition("=")[0]: [error]})


@pytest.mark.parametrize("records", [1, 3])
def test_a_list_takes_the_same_three_queries(piriod, line, records, django_assert_num_queries):
    for _ in range(records):
        make.fix(make.use(line, "1", "2026-07-01"), "2")
    piriod("GET", "usages/")
    forget_trusted()

    with django_assert_num_queries(3):
        response = piriod("GET", "usages/?ordering=id")

    assert len(ids(response)) == records


def test_usage_of_other_workspaces_is_not_to_be_seen(piriod, line):
    other = make.line(make.workspace("other"))
    theirs = make.use(other, "1", "2026-07-01").id

    assert ids(piriod("GET", "usages/")) == []
    for method in ("GET", "DELETE"):
        assert piriod(method, f"usages/{theirs}/").status_code == 404
    assert UsageRecord.objects.live().count() == 1
