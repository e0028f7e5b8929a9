"""Piriod: recording usage."""

from datetime import date
from decimal import Decimal

import pytest

from billing import contracts
from billing.contracts import Limits
from billing.storage.exact import ExactSum
from billing.storage.jsontext import decode
from tests import factories as make
from tests.usage.dialects.clients import NOW
from tests.usage.dialects.piriod.client import Piriod
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def test_a_usage_is_recorded_and_shown_with_the_workspaces_offset(piriod, line):
    response = piriod.post(line.number, date_time="2026-07-15T12:00:00Z", quantity=7)

    record = UsageRecord.objects.get()
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert response.content.decode() == (
        f'{{"id":{record.pk},"subscription_line":{line.number},"date_time":"2026-07-15T08:00:00-04:00",'
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
    first, second = piriod.post(line.number), piriod.post(line.number)

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
    piriod.post(line.number, date_time=sent)

    assert UsageRecord.objects.get().occurred_at == make.moment(in_utc)


def test_a_time_that_the_clock_skipped_is_refused(piriod, line):
    # In Chile, 6 September 2026 begins at one o'clock.
    response = piriod.post(line.number, date_time="2026-09-06 00:30:00")

    assert response.status_code == 400
    assert response.json() == {"date_time": ["There is no such time in America/Santiago: the clock skips it."]}


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
    body = f'{{"subscription_line":{line.number},"date_time":"{NOW}","quantity":{sent}}}'
    response = piriod("POST", "usages/", body)
    listed = piriod("GET", "usages/")

    assert response.status_code == 201
    assert UsageRecord.objects.get().quantity == Decimal(stored)
    assert f'"quantity":{shown},' in response.content.decode()
    assert decode(listed.content)["results"] == [decode(response.content)]
    assert f'"quantity":{shown},' in listed.content.decode()


def test_a_tenth_and_two_tenths_are_three_tenths(piriod, line):
    for quantity in ("0.1", "0.2"):
        piriod.post(line.number, quantity=Decimal(quantity))

    assert UsageRecord.objects.aggregate(total=ExactSum("quantity")) == {"total": Decimal("0.3")}


def test_a_gauge_refuses_a_negative_quantity(line):
    gauge = make.line(make.workspace("gauged"), aggregation="unit_days")

    response = Piriod(make.api_key(gauge.workspace), "gauged").post(gauge.number, quantity=-1)

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

    response = piriod.post(seats.number)

    assert response.status_code == 400
    assert response.json() == {
        "subscription_line": ["The plan of this subscription line must have usage_scheme=metered."]
    }


def test_a_line_that_counts_events_is_refused(piriod, line):
    counting = make.counting_line(line.subscription.customer, make.event_brick(line.workspace))

    response = piriod.post(counting.number)

    assert response.status_code == 400
    assert response.json() == {
        "subscription_line": ["The plan of this subscription line must have usage_scheme=metered."]
    }


def test_a_line_takes_no_more_than_its_limit(piriod, line):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)
    piriod.post(line.number, quantity=7)

    response = piriod.post(line.number, quantity=4)

    assert (response.status_code, response.json()) == (
        400,
        {"quantity": ["The limit of this line leaves 3 in the period."]},
    )
    assert piriod.post(line.number, quantity=3).status_code == 201


def test_usage_outside_the_lines_life_is_refused(piriod):
    ended = make.line(make.workspace("ended"), ends_on=date(2026, 7, 1))
    client = Piriod(make.api_key(ended.workspace), "ended")

    response = client.post(ended.number, date_time="2026-07-01T00:00:00Z")

    assert response.status_code == 400
    assert response.json() == {
        "date_time": [
            "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-07-01T00:00:00+00:00."
        ]
    }
    assert client.post(ended.number, date_time="2026-06-30T23:59:59.999999Z").status_code == 201


def test_every_missing_field_is_named(piriod):
    response = piriod("POST", "usages/", {})

    assert response.status_code == 400
    assert response.json() == {
        "subscription_line": ["This field is required."],
        "date_time": ["This field is required."],
        "quantity": ["This field is required."],
    }
