"""JSON in and out with exact numbers, whatever a client says that it accepts."""

from decimal import Decimal
from io import BytesIO
from types import SimpleNamespace

import pytest
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from usage.dialects.shared.exact_json import ExactJSONParser, ExactJSONRenderer, JSONOnly

pytestmark = pytest.mark.once


def parsed(body: bytes):
    return ExactJSONParser().parse(BytesIO(), parser_context={"view": SimpleNamespace(body=body)})


def test_numbers_are_read_exactly():
    assert parsed(b'{"a": 0.1, "b": 123456789012345.123456789, "c": 7}') == {
        "a": Decimal("0.1"),
        "b": Decimal("123456789012345.123456789"),
        "c": 7,
    }


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"\xff"])
def test_what_is_no_json_is_refused_and_told(body):
    with pytest.raises(exceptions.ParseError, match="JSON parse error - "):
        parsed(body)


def test_numbers_are_written_digit_for_digit_and_nothing_is_an_empty_body():
    assert ExactJSONRenderer().render({"a": Decimal("0.10"), "b": None}) == b'{"a":0.10,"b":null}'
    assert ExactJSONRenderer().render(None) == b""


@pytest.mark.parametrize(
    ("content_type", "is_parsed"),
    [
        ("application/json", True),
        ("APPLICATION/JSON; charset=utf-8", True),
        ("", True),
        ("text/plain", False),
        ("application/jsonp", False),
        ("application/x-www-form-urlencoded", False),
    ],
)
def test_json_is_parsed_where_no_other_type_is_named(content_type, is_parsed):
    request = Request(APIRequestFactory().generic("POST", "/", b"{}", content_type=content_type))
    parser = ExactJSONParser()

    assert JSONOnly().select_parser(request, [parser]) is (parser if is_parsed else None)


@pytest.mark.parametrize("accept", ["application/json", "text/html", "nonsense", ""])
def test_the_answer_is_json_whatever_is_accepted(accept):
    request = Request(APIRequestFactory().get("/", headers={"accept": accept}))

    assert JSONOnly().select_renderer(request, [ExactJSONRenderer()])[1] == "application/json"
