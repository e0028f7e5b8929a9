"""What holds for each dialect alike: one list of vendors, each with a request that is taken and its way to say no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from billing.jsontext import encode
from billing.keys import forget_trusted, revoke_key
from billing.models import ApiKey
from tests import factories as make
from usage.dialects.base import MAX_BODY_BYTES
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Vendor:
    name: str
    path: str
    headers: Callable[[str], dict[str, str]]
    payload: Callable[[Any], dict[str, Any]]
    quantity: str
    moment: str
    error: Callable[..., dict[str, Any]]
    unauthorized: tuple[str, str]
    methods: tuple[tuple[str, str], ...]
    foreign: Callable[[Any], tuple[int, dict[str, Any]]]

    def __str__(self) -> str:
        return self.name

    def send(self, key: str, body: str | bytes, **options: Any) -> Any:
        options = {"content_type": "application/json", "method": "POST", "path": self.path, **options}
        return Client().generic(options.pop("method"), options.pop("path"), body, headers=self.headers(key), **options)


def piriod_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    return {field or "non_field_errors": [message]} if status == 400 else {"detail": message}


def salesbricks_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    codes = {
        400: "ERR_BAD_REQUEST",
        401: "ERR_UNAUTHORIZED",
        404: "ERR_NOT_FOUND",
        411: "ERR_LENGTH_REQUIRED",
        413: "ERR_PAYLOAD_TOO_LARGE",
        415: "ERR_UNSUPPORTED_MEDIA_TYPE",
        500: "ERR_INTERNAL_SERVER_ERROR",
        503: "ERR_SERVICE_UNAVAILABLE",
    }
    if field is None:
        return {"error": {"code": codes[status], "message": message}}
    return {"error": {"code": codes[status], "message": "The input is invalid.", "details": {field: [message]}}}


PIRIOD = Vendor(
    name="piriod",
    path="/piriod/usages/",
    headers=lambda key: {"authorization": f"Token {key}", "x-simple-workspace": "acme"},
    payload=lambda line: {"subscription_line": line.pk, "date_time": "2026-07-16T10:15:30Z", "quantity": 7},
    quantity="quantity",
    moment="date_time",
    error=piriod_error,
    unauthorized=("Invalid token.", "Token"),
    methods=(
        ("GET", "/piriod/usages/"),
        ("POST", "/piriod/usages/"),
        ("PUT", "/piriod/usages/"),
        ("GET", "/piriod/usages/1/"),
        ("DELETE", "/piriod/usages/1/"),
        ("GET", "/piriod/elsewhere/"),
    ),
    foreign=lambda line: (
        400,
        {"subscription_line": [f'Invalid pk "{line.pk}" - object does not exist.']},
    ),
)
SALESBRICKS = Vendor(
    name="salesbricks_v2",
    path="/salesbricks/api/v2/usage",
    headers=lambda key: {"x-salesbricks-key": key},
    payload=lambda line: {
        "transaction_id": "12345",
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "value": 7,
        "time": "2026-07-16T10:15:30Z",
    },
    quantity="value",
    moment="time",
    error=salesbricks_error,
    unauthorized=("Invalid API key.", "X-SALESBRICKS-KEY"),
    methods=(
        ("GET", "/salesbricks/api/v2/usage"),
        ("POST", "/salesbricks/api/v2/usage"),
        ("PATCH", "/salesbricks/api/v2/usage/"),
        ("DELETE", "/salesbricks/api/v2/usage/"),
        ("GET", "/salesbricks/api/v2/elsewhere"),
    ),
    foreign=lambda line: (404, salesbricks_error(404, "There is no such brick in such a subscription.")),
)
VENDORS = [PIRIOD, SALESBRICKS]

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=str)
each_endpoint = pytest.mark.parametrize(
    ("vendor", "method", "path"),
    [(vendor, *endpoint) for vendor in VENDORS for endpoint in vendor.methods],
    ids=str,
)


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def key(line):
    return make.api_key(line.workspace)


def payload_with(vendor: Vendor, line: Any, field: str, text: str) -> str:
    """Return the request as JSON text, one field's value written as given."""
    return encode({**vendor.payload(line), field: "@"}).decode().replace('"@"', text)


def assert_refused(response: Any, vendor: Vendor, status: int, message: str, field: str | None = None) -> None:
    assert (response.status_code, response.json()) == (status, vendor.error(status, message, field))
    assert response.headers["Content-Type"] == "application/json"
    assert UsageRecord.objects.count() == 0


@each_vendor
def test_usage_is_recorded(vendor, line, key):
    response = vendor.send(key, encode(vendor.payload(line)))

    assert response.status_code == 201
    assert list(UsageRecord.objects.values_list("line", "quantity", "dialect")) == [(line.pk, 7, vendor.name)]


@each_endpoint
def test_a_request_without_a_key_is_refused(vendor, method, path, line):
    response = Client().generic(method, path, encode(vendor.payload(line)), content_type="application/json")

    assert_refused(response, vendor, 401, "Authentication credentials were not provided.")
    assert response.headers["WWW-Authenticate"] == vendor.unauthorized[1]


@pytest.mark.parametrize("wrong", ["ark_live_of_nobody_at_all", "ä\xff", "x" * 5000])
@each_endpoint
def test_a_wrong_key_is_refused(vendor, method, path, line, key, wrong):
    response = vendor.send(wrong, encode(vendor.payload(line)), method=method, path=path)

    assert_refused(response, vendor, 401, vendor.unauthorized[0])
    assert response.headers["WWW-Authenticate"] == vendor.unauthorized[1]


@each_endpoint
def test_a_revoked_key_is_refused_at_once(vendor, method, path, line, key):
    vendor.send(key, "")
    revoke_key(key=ApiKey.objects.get(), as_of=make.moment("2026-07-20"))

    response = vendor.send(key, encode(vendor.payload(line)), method=method, path=path)

    assert_refused(response, vendor, 401, vendor.unauthorized[0])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"a": NaN}', "NaN is not a JSON number."),
        ('{"a": -Infinity}', "-Infinity is not a JSON number."),
        ('{"a": 1e99999999999999999999}', "A number's exponent is out of range."),
        ('{"a": "\\u0000"}', "Text holds a NUL or half a surrogate pair, which cannot be stored."),
        ('{"\\ud800": 1}', "Text holds a NUL or half a surrogate pair, which cannot be stored."),
        (b'{"a": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"),
        (
            "[" * 100_000,
            "maximum recursion depth exceeded while decoding a JSON array from a unicode string",
        ),
    ],
    ids=["cut", "nan", "infinity", "exponent", "nul", "surrogate", "utf-8", "depth"],
)
@each_vendor
def test_what_is_no_json_is_refused(vendor, line, key, body, message):
    assert_refused(vendor.send(key, body), vendor, 400, f"JSON parse error - {message}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "Invalid data. Expected a dictionary, but got list."),
        ('"text"', "Invalid data. Expected a dictionary, but got str."),
        ("1", "Invalid data. Expected a dictionary, but got int."),
        ("null", "This field may not be null."),
    ],
)
@each_vendor
def test_a_body_that_is_no_object_is_refused(vendor, line, key, body, message):
    assert_refused(vendor.send(key, body), vendor, 400, message)


@each_vendor
def test_a_body_is_bounded(vendor, line, key):
    body = encode(vendor.payload(line)).ljust(MAX_BODY_BYTES)

    assert_refused(vendor.send(key, body + b" "), vendor, 413, f"A request has at most {MAX_BODY_BYTES} bytes.")
    assert vendor.send(key, body).status_code == 201


@each_vendor
def test_a_body_of_unknown_length_is_refused(vendor, line, key):
    response = vendor.send(key, "", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")

    assert_refused(response, vendor, 411, "A request with a body needs a Content-Length header.")


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
@each_vendor
def test_another_content_type_is_refused(vendor, line, key, content_type):
    response = vendor.send(key, encode(vendor.payload(line)), content_type=content_type)

    assert_refused(response, vendor, 415, f'Unsupported media type "{content_type}" in request.')


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
@each_vendor
def test_json_is_taken_however_it_is_called(vendor, line, key, content_type):
    assert vendor.send(key, encode(vendor.payload(line)), content_type=content_type).status_code == 201


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
@each_vendor
def test_json_is_answered_whatever_is_accepted(vendor, line, key, accept):
    response = vendor.send(key, encode(vendor.payload(line)), HTTP_ACCEPT=accept)

    assert (response.status_code, response.headers["Content-Type"]) == (201, "application/json")


@each_vendor
def test_unknown_fields_are_ignored(vendor, line, key):
    body = {**vendor.payload(line), "id": 99, "created": "never", "colour": {"of": ["the", "sky"]}}

    assert vendor.send(key, encode(body)).status_code == 201


TOO_LONG = "Ensure that there are no more than 15 digits before the decimal point."
TOO_FINE = "Ensure that there are no more than 9 decimal places."


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
@each_vendor
def test_a_quantity_that_is_not_kept_exactly_is_refused(vendor, line, key, sent, message):
    response = vendor.send(key, payload_with(vendor, line, vendor.quantity, sent))

    assert_refused(response, vendor, 400, message, vendor.quantity)


@pytest.mark.parametrize("sent", ["true", "false", '"seven"', '""', '"NaN"', '"1e3"', '"1_000"', '"٣"', "[7]", "{}"])
@each_vendor
def test_a_quantity_that_is_no_number_is_refused(vendor, line, key, sent):
    response = vendor.send(key, payload_with(vendor, line, vendor.quantity, sent))

    kind = {"piriod": "number", "salesbricks_v2": "integer"}[vendor.name]
    assert_refused(response, vendor, 400, f"A valid {kind} is required.", vendor.quantity)


@pytest.mark.parametrize(
    "sent",
    [
        '"yesterday"',
        '""',
        '"2026-07-16"',
        '"2026-02-30T00:00:00Z"',
        '"2026-07-16T24:00:00Z"',
        '"0000-01-01T00:00:00Z"',
        '"10000-01-01T00:00:00Z"',
        '"2026-07-16T10:15:30+24:00"',
        '"2026-07-16T10:15:30 00:00"',
        '"٢٠٢٦-07-16T10:15:30Z"',
        "1784196930",
        "true",
        "{}",
    ],
)
@each_vendor
def test_a_time_that_is_none_is_refused(vendor, line, key, sent):
    response = vendor.send(key, payload_with(vendor, line, vendor.moment, sent))

    message = (
        "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
    )
    assert_refused(response, vendor, 400, message, vendor.moment)


@pytest.mark.parametrize(
    "sent", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"]
)
@each_vendor
def test_a_time_at_the_end_of_the_calendar_is_refused(vendor, line, key, sent):
    response = vendor.send(key, payload_with(vendor, line, vendor.moment, f'"{sent}"'))

    assert_refused(response, vendor, 400, "Datetime is out of range.", vendor.moment)


@each_vendor
def test_another_workspaces_ids_are_as_absent_as_any(vendor, line, key):
    theirs = make.line(make.workspace("other"))

    response = vendor.send(key, encode(vendor.payload(theirs)))

    assert (response.status_code, response.json()) == vendor.foreign(theirs)
    assert UsageRecord.objects.count() == 0


@pytest.mark.parametrize("down", [OperationalError, InterfaceError])
@each_endpoint
def test_with_the_database_down_nothing_is_said_to_be_accepted(vendor, method, path, line, key, down):
    def fail(*_: Any) -> None:
        raise down("connection refused")

    with connection.execute_wrapper(fail):
        response = vendor.send(key, encode(vendor.payload(line)), method=method, path=path)

    assert_refused(response, vendor, 503, "The database is out of reach. Try again in a moment.")
    assert response.headers["Retry-After"] == "5"


@each_vendor
def test_with_the_database_down_at_the_insert_nothing_is_said_to_be_accepted(vendor, line, key):
    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        response = vendor.send(key, encode(vendor.payload(line)))

    assert_refused(response, vendor, 503, "The database is out of reach. Try again in a moment.")


@each_vendor
def test_what_nobody_expected_is_logged_and_answered_in_the_vendors_shape(vendor, line, key, caplog):
    def fail(*_: Any) -> None:
        raise RuntimeError("a fault")

    with connection.execute_wrapper(fail):
        response = vendor.send(key, encode(vendor.payload(line)))

    assert_refused(response, vendor, 500, "A server error occurred.")
    assert [str(entry.exc_info[1]) for entry in caplog.records if entry.name == "usage.dialects.base"] == ["a fault"]


@each_vendor
def test_a_request_takes_one_query_for_the_key_and_one_insert(vendor, line, key, django_assert_num_queries):
    vendor.send(key, "{}")
    forget_trusted()

    with django_assert_num_queries(2) as queries:
        response = vendor.send(key, encode(vendor.payload(line)))

    assert response.status_code == 201
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]


@each_vendor
def test_a_key_that_was_looked_up_this_second_is_not_asked_for_again(vendor, line, key, django_assert_num_queries):
    vendor.send(key, "{}")

    with django_assert_num_queries(1):
        response = vendor.send(key, encode(vendor.payload(line)))

    assert response.status_code == 201
