"""The values of a report's fields: exact numbers and moments that can be stored."""

from collections.abc import Iterator
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from billing.models import Line
from billing.storage.jsontext import encode
from tests import factories as make
from tests.usage.dialects.rebilly.vendor import VENDOR as REBILLY
from tests.usage.dialects.salesbricks_v2.vendor import VENDOR as SALESBRICKS_V2
from tests.usage.dialects.shared.assertions import asked, assert_refused, nothing_changed, undone
from tests.usage.dialects.vendor import Vendor
from tests.usage.dialects.vendors import each_vendor, each_with_moment, each_with_quantity, each_with_reads
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

TOO_LONG = "Ensure that there are no more than 15 digits before the decimal point."
TOO_FINE = "Ensure that there are no more than 9 decimal places."
STRANGE = [
    "null",
    "true",
    "-1",
    "1e400",
    "1e-400",
    "1e999999999",
    "-1e999999999",
    "1e-999999999",
    "0e999999999",
    "9" * 400,
    '""',
    '"0000-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999999-12:00"',
    '"ü\U0001f600%s\\n"',
    f'"{"x" * 70_000}"',
    "[]",
    '[[["a"]]]',
    "{}",
    '{"a": {"b": [null, 1e300]}}',
    "[" * 60 + "]" * 60,
]
NO_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


def written(body: dict, field: str, text: str) -> str:
    """Return a body as JSON text, one field's value written as given."""
    return encode({**body, field: "@"}).decode().replace('"@"', text)


def assert_field_refused(vendor: Vendor, line, key: str, field: str, sent: str, message: str) -> None:
    with nothing_changed():
        response = vendor.send(key, written(vendor.report(line), field, sent))

    assert_refused(response, vendor, vendor.invalid, message, field)


@each_vendor
def test_unknown_fields_are_ignored_or_named(vendor, line, key):
    body = {**vendor.report(line), "colour": {"of": ["the", "sky"]}}

    response = vendor.send(key, encode(body))

    assert response.status_code == (vendor.accepted if vendor.ignores_unknown_fields else vendor.invalid)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("1e400", TOO_LONG),
        ("-1e999999999", TOO_LONG),
        ("1000000000000000", TOO_LONG),
        ("1" * 5000, TOO_LONG),
        ("1e-400", TOO_FINE),
        ("0.30000000000000004", TOO_FINE),
        ("0.0000000001", TOO_FINE),
        ("1." + "0" * 30 + "1", TOO_FINE),
        ('"0.0000000001"', TOO_FINE),
        ("null", "This field may not be null."),
    ],
)
@each_with_quantity
def test_a_quantity_that_is_not_kept_exactly_is_refused(vendor, line, key, sent, message):
    assert_field_refused(vendor, line, key, vendor.quantity, sent, message)


@pytest.mark.parametrize("sent", ["true", "false", '"seven"', '""', '"NaN"', '"1e3"', '"1_000"', '"٣"', "[7]", "{}"])
@each_with_quantity
def test_a_quantity_that_is_no_number_is_refused(vendor, line, key, sent):
    assert_field_refused(vendor, line, key, vendor.quantity, sent, f"A valid {vendor.number} is required.")


@pytest.mark.parametrize(
    "sent",
    [
        '"yesterday"',
        '""',
        '"2026-02-30T00:00:00Z"',
        '"2026-07-16T24:00:00Z"',
        '"0000-01-01T00:00:00Z"',
        '"10000-01-01T00:00:00Z"',
        '"2026-07-16T10:15:30+24:00"',
        '"2026-07-16T10:15:30 00:00"',
        '"٢٠٢٦-07-16T10:15:30Z"',
        '"2026-07-16 +02:00"',
        "true",
        "{}",
    ],
)
@each_with_moment
def test_a_time_that_is_none_is_refused(vendor, line, key, sent):
    assert_field_refused(vendor, line, key, vendor.moment, sent, NO_MOMENT)


@pytest.mark.parametrize("sent", ["1784196930", "1784196930000", '"1784196930"', "1784196930.5"])
@each_with_moment
def test_seconds_and_milliseconds_are_no_time(vendor, line, key, sent):
    message = f"{NO_MOMENT} Numbers of seconds or milliseconds are not accepted."

    assert_field_refused(vendor, line, key, vendor.moment, sent, message)


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-07-16", "2026-07-16 00:00"),
        ("2026-07-16T10:15:30 +0000", "2026-07-16 10:15:30"),
        ("2026-07-16 10:15:30.5  -04:00", "2026-07-16 14:15:30.500000"),
        ("2026-07-16T10:15:30 Z", "2026-07-16 10:15:30"),
    ],
)
@each_with_moment
def test_a_day_alone_and_a_blank_before_the_offset_are_taken_where_the_vendor_takes_them(vendor, line, key, sent, at):
    body = written(vendor.report(line), vendor.moment, f'"{sent}"')

    if vendor.takes_days:
        assert vendor.send(key, body).status_code == vendor.accepted
        assert UsageRecord.objects.get().occurred_at == make.moment(at)
    else:
        assert_field_refused(vendor, line, key, vendor.moment, f'"{sent}"', NO_MOMENT)


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"]
)
@each_with_moment
def test_a_time_at_the_end_of_the_calendar_is_refused(vendor, line, key, sent):
    assert_field_refused(vendor, line, key, vendor.moment, f'"{sent}"', "Datetime is out of range.")


@each_vendor
def test_no_value_of_any_field_is_a_fault_of_ours(vendor):
    world = vendor.world()
    for endpoint in vendor.with_body:
        with undone():
            for field in world.body(endpoint):
                for sent in STRANGE:
                    response = vendor.ask(endpoint, world, body=written(world.body(endpoint), field, sent))

                    assert response.status_code < 500, (asked(response), field, sent[:80])
                    if response.status_code >= 400:
                        assert response.headers["Content-Type"] == vendor.error_type


# With so many, a time that grows with their square is minutes; a client's longest wait is half a minute.
BLANKS = " " * 100_000
A_WHILE = 5


def with_each_text(body: Any, text: str) -> Iterator[Any]:
    """Give a body again and again, each time another one of its values replaced by a text."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from ({**body, name: part} for part in with_each_text(value, text))
    elif isinstance(body, list):
        for at, value in enumerate(body):
            yield from ([*body[:at], part, *body[at + 1 :]] for part in with_each_text(value, text))
    yield text


@pytest.mark.parametrize("blanks", [f"{BLANKS}x", BLANKS, f"{BLANKS}Z x"], ids=["between", "after", "around an offset"])
@each_vendor
def test_many_blanks_hold_nobody_up(vendor, blanks):
    world = vendor.world()
    for endpoint in vendor.with_body:
        with undone():
            for body in with_each_text(world.body(endpoint), f"2026-11-01T00:00{blanks}"):
                began = monotonic()
                response = vendor.ask(endpoint, world, body=encode(body))

                assert response.status_code < 500, (asked(response), str(body)[:200])
                assert monotonic() - began < A_WHILE, (asked(response), str(body)[:200])


def test_names_are_kept_with_the_blanks_at_their_ends():
    line = make.line(aggregation="sum")
    key = make.api_key(line.workspace)
    entry = SALESBRICKS_V2.report(line)
    for transaction_id in ("t-1", "t-1 ", " t-1"):
        assert SALESBRICKS_V2.send(key, encode(entry | {"transaction_id": transaction_id})).status_code == 201
    Line.objects.filter(pk=line.pk).update(reference="L ")
    usage = {"quantity": 1}
    assert REBILLY.send(key, encode(usage | {"subscriptionId": "L "})).status_code == 201
    assert REBILLY.send(key, encode(usage | {"subscriptionId": "L"})).status_code == 422

    keys = UsageRecord.objects.order_by("id").values_list("key", flat=True)
    assert list(keys) == ["t-1", "t-1 ", " t-1", None]


@each_with_reads
def test_a_parameter_that_there_is_not_is_refused_by_name(vendor):
    """A list that ignored it would answer with all there is to a client that asked for a few."""
    world = vendor.world()
    for endpoint in vendor.reads:
        url = world.url(endpoint)
        chooses = bool(endpoint.query) or is_list(vendor.ask(endpoint, world).json())

        for name in ("colour", "customer[]", "quantity__near"):
            path = f"{url}{'&' if '?' in url else '?'}{quote(name)}=1"
            response = vendor.send(world.key, b"", method="GET", path=path, workspace=world.code)

            if chooses:
                assert_refused(response, vendor, vendor.wrong_query, "Unknown parameter.", name)
            else:
                assert response.status_code == 200, f"a single thing is named by its path: {path}"


AROUND_ROWS = {"next", "previous", "count", "pagination"}


def is_list(body):
    """Tell whether a reply is rows alone, bare or within what belongs to pages, or a series of them."""
    return isinstance(body, list) or "buckets" in body or len(body.keys() - AROUND_ROWS) == 1
