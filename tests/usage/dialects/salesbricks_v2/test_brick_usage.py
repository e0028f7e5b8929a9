"""Salesbricks v2: the usage of a brick, by billing period and as a series."""

import uuid
from datetime import date
from typing import Any

import pytest

from billing import contracts
from billing.keys import forget_trusted
from tests import factories as make
from tests.usage.dialects.salesbricks_v2.client import Salesbricks, bad_request, not_found

pytestmark = pytest.mark.django_db

TOO_MANY = "At most 1000 buckets: request longer ones or a shorter time."
NO_BRICK = not_found("Unknown subscription or brick.")


@pytest.fixture
def line():
    return make.line(make.workspace(time_zone="America/New_York"), starts_on=date(2026, 5, 1), unit_price="0.5")


@pytest.fixture
def used(line):
    """30 in May, 20 in June and, until now, 7.5 in July."""
    for quantity, at in [
        ("10", "2026-05-04"),
        ("20", "2026-06-01 03:59"),
        ("20", "2026-06-01 04:00"),
        ("7.5", "2026-07-20 13:59"),
        ("100", "2026-07-20 14:00"),
    ]:
        make.use(line, quantity, at)


def quantities(response: Any) -> list[tuple[str, float]]:
    return [(period["starts_at"][:7], period["used"]) for period in response.json()]


@pytest.mark.parametrize("asked", ["1", "true", "True"])
def test_the_current_period_is_one_object(salesbricks, line, used, asked):
    response = salesbricks.read(f"?currentPeriod={asked}")

    assert response.status_code == 200
    assert response.content.decode() == (
        '{"starts_at":"2026-07-01T00:00:00-04:00","ends_at":"2026-08-01T00:00:00-04:00",'
        f'"subscription_id":"{line.subscription_id}","brick_id":"{line.brick_id}","brick_name":"API calls",'
        '"pre_commitment":0,"used":7.5,"overages":7.5,"remaining":0,"unit":"units","overage_rate":"0.50"}'
    )


@pytest.mark.parametrize("path", ["", "/", "?currentPeriod=", "?currentPeriod=false"])
def test_all_periods_that_have_begun_are_a_list(salesbricks, used, path):
    response = salesbricks.read(path)

    assert response.status_code == 200
    assert quantities(response) == [("2026-05", 30), ("2026-06", 20), ("2026-07", 7.5)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from=2026-06-01", [("2026-06", 20), ("2026-07", 7.5)]),
        # To include periods that end on a day, the vendor says, give the day after it.
        ("to=2026-07-01", [("2026-05", 30), ("2026-06", 20)]),
        ("to=2026-06-30", [("2026-05", 30)]),
        ("from=2026-06-01&to=2026-07-01", [("2026-06", 20)]),
        ("from=2026-06-01T04:00:00Z&to=2026-07-01T04:00:00Z", [("2026-06", 20)]),
        ("from=2026-06-01T00:00:00.000001", [("2026-07", 7.5)]),
        ("from=2026-07-01&to=2026-05-01", []),
        ("from=9998-12-31", []),
    ],
)
def test_periods_are_those_from_a_day_to_another(salesbricks, used, query, found):
    assert quantities(salesbricks.read(f"?{query}")) == found


def test_a_price_by_tiers_has_no_one_rate():
    line = make.line(model="graduated", tiers=[("100", "0.02", "0"), (None, "0.01", "0")], starts_on=date(2026, 7, 1))

    (period,) = Salesbricks(line).read().json()

    assert (period["overage_rate"], period["used"]) == (None, 0)


def test_the_rate_is_that_of_the_last_price_in_the_period(salesbricks, line):
    make.use(line, "4", "2026-07-09")
    changed_at = make.moment("2026-07-10")
    contracts.end_line(line=line, ends_at=changed_at, actor=make.ACTOR)
    price = make.price(line.brick, "0.0025")
    later = contracts.add_line(
        subscription=line.subscription, brick=line.brick, price=price, starts_at=changed_at, actor=make.ACTOR
    )
    make.use(later, "6", "2026-07-11")

    periods = salesbricks.read().json()

    assert [(period["used"], period["overage_rate"]) for period in periods] == [
        (0, "0.50"),
        (0, "0.50"),
        (10, "0.0025"),
    ]


def test_a_counter_below_zero_has_no_overages(salesbricks, line):
    make.use(line, "-3", "2026-07-02")

    (*_, july) = salesbricks.read().json()

    assert (july["used"], july["overages"], july["remaining"]) == (-3, 0, 0)


def test_a_gauge_counts_unit_days_until_now():
    gauge = make.line(aggregation="unit_days", starts_on=date(2026, 7, 1))
    salesbricks = Salesbricks(gauge)
    salesbricks.post(value=3, time="2026-07-10T00:00:00Z")

    # It is 20 July, 14:00.
    assert salesbricks.read("?currentPeriod=1").json()["used"] == 31.75
    days = salesbricks.read("/series?from=2026-07-09").json()["buckets"]
    assert [day["count"] for day in days] == [0, *[3] * 10, 1.75]


@pytest.mark.parametrize(
    "line",
    [
        lambda: make.line(starts_on=date(2026, 8, 1)),
        lambda: make.line(starts_on=date(2026, 5, 1), ends_on=date(2026, 7, 20)),
    ],
    ids=["not yet", "no longer"],
)
def test_no_period_runs_before_and_after_a_subscription(line):
    response = Salesbricks(line()).read("?currentPeriod=1")

    assert (response.status_code, response.json()) == (
        404,
        not_found("The brick has no current billing period."),
    )


def test_a_series_has_the_days_of_the_current_period_until_now(salesbricks, line, used):
    response = salesbricks.read("/series")

    assert response.status_code == 200
    assert response.json().keys() == {"subscription_id", "brick_id", "brick_name", "unit", "window", "buckets"}
    assert response.json()["window"] == "day"
    buckets = response.json()["buckets"]
    assert len(buckets) == 20
    assert buckets[0] == {
        "starts_at": "2026-07-01T00:00:00-04:00",
        "ends_at": "2026-07-02T00:00:00-04:00",
        "count": 0,
    }
    assert buckets[-1] == {
        "starts_at": "2026-07-20T00:00:00-04:00",
        "ends_at": "2026-07-21T00:00:00-04:00",
        "count": 7.5,
    }
    assert salesbricks.read("/series/").content == response.content


@pytest.mark.parametrize(
    ("query", "buckets"),
    [
        ("window=month&from=2026-05-01", [("05-01T00:00:00-04:00", 30), ("06-01", 20), ("07-01", 7.5)]),
        ("window=month&from=2026-05-01&to=2026-06-01T00:00:00", [("05-01", 30)]),
        ("window=week&from=2026-05-25&to=2026-06-02", [("05-25", 20), ("06-01", 20)]),
        ("window=day&from=2026-05-31&to=2026-06-02", [("05-31", 20), ("06-01", 20)]),
        (
            "window=hour&from=2026-06-01T03:00:00Z&to=2026-06-01T05:00:00Z",
            [("05-31T23:00:00-04:00", 20), ("06-01T00:00:00-04:00", 20)],
        ),
    ],
)
def test_a_series_is_cut_at_the_workspaces_hours_days_weeks_and_months(salesbricks, used, query, buckets):
    response = salesbricks.read(f"/series?{query}")

    found = response.json()["buckets"]
    assert [bucket["count"] for bucket in found] == [count for _, count in buckets]
    for bucket, (start, _) in zip(found, buckets, strict=True):
        assert bucket["starts_at"].startswith(f"2026-{start}")


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("window=year", {"window": '"year" is not a valid choice.'}),
        (
            "window=hour&from=2026-05-01",
            {"window": "At most 1000 buckets: request longer ones or a shorter time."},
        ),
        ("from=0002-01-01", {"window": "At most 1000 buckets: request longer ones or a shorter time."}),
        ("from=2026-07-02&to=2026-07-02", {"to": "The end must be after the start."}),
        ("to=2026-06-30", {"to": "The end must be after the start."}),
        ("from=2026-07-21", {"from": "The end must be after the start."}),
        ("from=9999-01-01", {"from": "Datetime is out of range."}),
    ],
)
def test_a_bad_series_is_named(salesbricks, query, errors):
    response = salesbricks.read(f"/series?{query}")

    assert (response.status_code, response.json()) == (400, bad_request(**errors))


def test_the_end_of_the_calendar_can_be_asked_for(salesbricks):
    response = salesbricks.read("/series?from=9998-12-01&to=9998-12-31T23:59:59Z&window=month")

    assert [bucket["count"] for bucket in response.json()["buckets"]] == [0]


def test_a_bad_query_of_periods_is_named(salesbricks):
    response = salesbricks.read("?currentPeriod=maybe")

    assert (response.status_code, response.json()) == (400, bad_request(currentPeriod="Must be a valid boolean."))


@pytest.mark.parametrize("path", ["", "/series", "/entries"])
def test_an_unknown_subscription_or_brick_is_not_found(salesbricks, line, path):
    theirs = make.line(make.workspace("other"))
    twins = make.line(line.workspace.twin)
    for subscription_id, brick_id in [
        (uuid.uuid4(), line.brick_id),
        (line.subscription_id, uuid.uuid4()),
        (theirs.subscription_id, theirs.brick_id),
        (twins.subscription_id, twins.brick_id),
    ]:
        response = salesbricks("GET", f"subscriptions/{subscription_id}/bricks/{brick_id}/usage{path}")
        assert (response.status_code, response.json()) == (404, NO_BRICK)


@pytest.mark.parametrize("text", ["12345", "-" * 36, "g" * 36])
def test_what_is_no_id_is_not_found(salesbricks, line, text):
    response = salesbricks("GET", f"subscriptions/{text}/bricks/{line.brick_id}/usage")

    assert (response.status_code, response.json()) == (404, not_found("Not found."))


def test_ids_may_be_written_in_capitals(salesbricks, line):
    path = f"subscriptions/{str(line.subscription_id).upper()}/bricks/{str(line.brick_id).upper()}/usage"

    assert salesbricks("GET", path).json()[0]["brick_id"] == str(line.brick_id)


@pytest.mark.parametrize("path", ["", "?currentPeriod=1", "/series?window=hour&from=2026-07-01"])
def test_a_read_takes_the_same_three_queries(salesbricks, used, path, django_assert_num_queries):
    salesbricks.read(path)
    forget_trusted()

    with django_assert_num_queries(3):
        response = salesbricks.read(path)

    assert response.status_code == 200


@pytest.mark.parametrize("path", ["", "/series", "/entries"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_usage_is_not_changed_where_it_is_read(salesbricks, path, method):
    response = salesbricks(method, f"{salesbricks.usage_path}{path}", {})

    assert response.status_code == 405
