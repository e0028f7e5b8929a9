"""Bodies before their fields are read, and the content type of answers whatever ``Accept`` asks for."""

import gzip
import zlib

import pytest
from django.conf import settings
from django.test import Client

from billing.storage.jsontext import encode
from tests.usage.dialects.shared.assertions import asked, assert_refused, nothing_changed, undone
from tests.usage.dialects.vendors import each_vendor, each_with_reads
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]

UNSTORABLE = "Text contains a NUL or half a surrogate pair, which cannot be stored."
NO_JSON = [
    ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ('{"a": NaN}', "NaN is not a JSON number."),
    ('{"a": -Infinity}', "-Infinity is not a JSON number."),
    ('{"a": 1e99999999999999999999}', "A number's exponent is out of range."),
    ('{"a": "\\u0000"}', UNSTORABLE),
    ('{"\\ud800": 1}', UNSTORABLE),
    (b'{"a": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"),
    ("[" * 100_000, "maximum recursion depth exceeded while decoding a JSON array from a unicode string"),
]


@each_vendor
def test_usage_is_recorded(vendor, line, key):
    response = vendor.send(key, encode(vendor.report(line)))

    expected = {"dialect": vendor.name, **vendor.recorded(line)}
    assert response.status_code == vendor.accepted
    assert list(UsageRecord.objects.values(*expected)) == [expected]


@each_vendor
def test_what_is_no_json_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            for body, message in NO_JSON:
                assert_refused(vendor.ask(endpoint, world, body=body), vendor, 400, f"JSON parse error - {message}")


@each_vendor
def test_a_body_that_is_no_object_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            for body in ("[]", '"text"', "1", "null", "[{}]", "true"):
                response = vendor.ask(endpoint, world, body=body)

                assert response.status_code in (400, vendor.invalid), (asked(response), body)
                assert response.headers["Content-Type"] == vendor.error_type


@pytest.mark.bound("API_BODY_BYTES")
@each_vendor
def test_a_body_is_bounded(vendor):
    world = vendor.world()

    for endpoint in vendor.with_body:
        body = encode(world.body(endpoint))
        with nothing_changed():
            response = vendor.ask(endpoint, world, body=body.ljust(settings.API_BODY_BYTES + 1))

        assert_refused(response, vendor, 413, f"A request has at most {settings.API_BODY_BYTES} bytes.")
        with undone():
            response = vendor.ask(endpoint, world, body=body.ljust(settings.API_BODY_BYTES))
            assert response.status_code < 300, asked(response)


@each_vendor
def test_a_body_of_unknown_length_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            response = vendor.ask(endpoint, world, body="", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")

            assert_refused(response, vendor, 411, "A request with a body needs a Content-Length header.")


@each_vendor
def test_a_body_that_the_server_did_not_read_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            for status, message in [
                (400, "The request is incomplete."),
                (408, "The body arrived too slowly."),
                (413, "A request has at most 1048576 bytes."),
                (507, "The server has no disk space for the body. Try again later."),
            ]:
                response = vendor.ask(endpoint, world, body="", **{"arrears.unread": status})

                assert_refused(response, vendor, status, message)


def bare_deflate(body: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(body) + squeezer.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
    "deflate": zlib.compress,
    "deflate, identity": bare_deflate,
    "deflate, gzip": lambda body: gzip.compress(zlib.compress(body)),
    "identity": bytes,
}


@pytest.mark.parametrize("encoding", ENCODERS)
@each_vendor
def test_a_compressed_body_is_read(vendor, line, key, encoding):
    body = ENCODERS[encoding](encode(vendor.report(line)))

    response = vendor.send(key, body, HTTP_CONTENT_ENCODING=encoding)

    expected = {"dialect": vendor.name, **vendor.recorded(line)}
    assert response.status_code == vendor.accepted
    assert list(UsageRecord.objects.values(*expected)) == [expected]


@each_vendor
def test_a_compressed_body_is_bounded_when_it_is_unpacked(vendor):
    world = vendor.world()

    for endpoint in vendor.with_body:
        body = encode(world.body(endpoint))
        whole, bomb = body.ljust(settings.API_BODY_BYTES), body.ljust(settings.API_BODY_BYTES + 1)
        with nothing_changed():
            for encoding in ("gzip", "deflate", "deflate, gzip"):
                response = vendor.ask(endpoint, world, body=ENCODERS[encoding](bomb), HTTP_CONTENT_ENCODING=encoding)
                assert_refused(response, vendor, 413, "A request has at most 1048576 bytes.")
            two = gzip.compress(bomb[:-9]) + gzip.compress(bomb[-9:])
            response = vendor.ask(endpoint, world, body=two, HTTP_CONTENT_ENCODING="gzip")
            assert_refused(response, vendor, 413, "A request has at most 1048576 bytes.")
        with undone():
            response = vendor.ask(endpoint, world, body=gzip.compress(whole), HTTP_CONTENT_ENCODING="gzip")
            assert response.status_code < 300, asked(response)


@each_vendor
def test_another_content_encoding_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            for encoding in ("br", "zstd", "gzip, br", "gzip, gzip, gzip", "nonsense"):
                response = vendor.ask(endpoint, world, HTTP_CONTENT_ENCODING=encoding)

                message = f'Unsupported content encoding "{encoding}". Send gzip, deflate, or none.'
                assert_refused(response, vendor, 415, message)
                assert response.headers["Accept-Encoding"] == "gzip, deflate"


@each_vendor
def test_what_is_not_compressed_as_it_says_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            body = encode(world.body(endpoint))
            for encoding, sent in [
                ("gzip", body),
                ("gzip", gzip.compress(body)[:-1]),
                ("gzip", gzip.compress(body) + b"x"),
                ("gzip", zlib.compress(body)),
                ("deflate", body),
                ("deflate", zlib.compress(body)[:-1]),
                ("deflate", zlib.compress(body) + b"x"),
                ("deflate", b""),
            ]:
                response = vendor.ask(endpoint, world, body=sent or b" ", HTTP_CONTENT_ENCODING=encoding)
                assert_refused(response, vendor, 400, f"The body is not {encoding}.")


@each_vendor
def test_a_byte_order_mark_is_passed_over(vendor, line, key):
    assert vendor.send(key, b"\xef\xbb\xbf" + encode(vendor.report(line))).status_code == vendor.accepted
    assert UsageRecord.objects.count() == 1


@each_vendor
def test_a_body_in_another_unicode_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            body = encode(world.body(endpoint)).decode()
            for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
                response = vendor.ask(endpoint, world, body=f"\ufeff{body}".encode(codec))

                assert_refused(response, vendor, 400, f"The body is in {codec[:6].upper()}. Send UTF-8.")


@each_vendor
def test_another_content_type_is_refused(vendor):
    world = vendor.world()

    with nothing_changed():
        for endpoint in vendor.with_body:
            for content_type in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
                response = vendor.ask(endpoint, world, content_type=content_type)

                assert_refused(response, vendor, 415, f'Unsupported media type "{content_type}" in request.')


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
@each_vendor
def test_json_is_taken_however_it_is_called(vendor, line, key, content_type):
    assert vendor.send(key, encode(vendor.report(line)), content_type=content_type).status_code == vendor.accepted


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
@each_vendor
def test_json_is_answered_whatever_is_accepted(vendor, line, key, accept):
    response = vendor.send(key, encode(vendor.report(line)), HTTP_ACCEPT=accept)

    assert (response.status_code, response.headers["Content-Type"]) == (vendor.accepted, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("DELETE", "/piriod/usages/999/", lambda key: {"authorization": f"Token {key}", "x-simple-workspace": "acme"}),
        (
            "GET",
            "/salesbricks/api/v2/subscriptions/6f2c0f4e-3b0c-4a52-8c69-0f54f7d6c1aa"
            "/bricks/6f2c0f4e-3b0c-4a52-8c69-0f54f7d6c1aa/usage",
            lambda key: {"x-salesbricks-key": key},
        ),
    ],
)
def test_a_body_that_nobody_reads_may_be_anything(line, key, method, path, headers):
    response = Client().generic(method, path, "{", content_type="application/json", headers=headers(key))

    assert response.status_code == 404


@pytest.mark.bound("encodings of a body, one around the other")
@pytest.mark.parametrize(("times", "status"), [(2, None), (3, 415)])
@each_vendor
def test_a_body_is_compressed_twice_at_most(vendor, line, key, times, status):
    body = encode(vendor.report(line))
    for _ in range(times):
        body = gzip.compress(body)

    response = vendor.send(key, body, HTTP_CONTENT_ENCODING=", ".join(["gzip"] * times))

    assert response.status_code == (status or vendor.accepted)


@pytest.mark.bound("members of a body in gzip")
@each_vendor
def test_a_body_has_as_many_members_as_the_limit(vendor, line, key):
    body = encode(vendor.report(line))
    members = [*(gzip.compress(body[n : n + 1]) for n in range(99)), gzip.compress(body[99:])]

    assert vendor.send(key, b"".join(members), HTTP_CONTENT_ENCODING="gzip").status_code == vendor.accepted


@pytest.mark.bound("members of a body in gzip")
@each_vendor
def test_a_body_of_thousands_of_empty_members_is_refused(vendor, line, key):
    """Each copies what follows it: 52,000 of them, compressed to 3 KB, took a second."""
    members = gzip.compress(gzip.compress(b"") * 52_000)

    response = vendor.send(key, members, HTTP_CONTENT_ENCODING="gzip, gzip")

    assert_refused(response, vendor, 400, "A gzip body has at most 100 members.")


@pytest.mark.bound("FORM_FIELDS")
@each_with_reads
def test_a_query_of_too_many_parameters_is_refused(vendor):
    world = vendor.world()
    for endpoint in vendor.reads:
        url = world.url(endpoint)
        path = f"{url}{'&' if '?' in url else '?'}{'a=1&' * 10_001}"

        response = vendor.send(world.key, b"", method="GET", path=path, workspace=world.code)

        # What is named by its path alone may not look at the query.
        if response.status_code != 200:
            assert_refused(response, vendor, 400, "A query string has at most 10000 parameters.")
        assert response.status_code != 200 or not endpoint.query, url
