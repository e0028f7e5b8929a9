import contextlib
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from billing.storage.jsontext import MalformedJSON, can_be_kept, decode, encode, encode_canonical
from tests import factories as make
from usage.models import UsageRecord

# What a JSON column of both databases takes: no NUL, no lone surrogate.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ids = st.integers(-(2**63), 2**63 - 1)
numbers = ids | st.decimals(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(texts, parts, max_size=4),
    max_leaves=12,
)


def plain(value: Any) -> Any:
    """A value with its numbers digit for digit: 1.10 and 1.1 are equal, but not written alike."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value if value is None or isinstance(value, bool | str) else str(Decimal(value))


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@given(values)
def test_what_is_encoded_is_decoded_digit_for_digit(value):
    assert plain(decode(encode(value))) == plain(value)


@given(values)
def test_canonical_text_stays_when_it_is_read_and_written_again(value):
    text = encode_canonical(value)

    assert encode_canonical(decode(text)) == text


@given(st.dictionaries(texts, st.integers(), min_size=2, max_size=6))
def test_canonical_text_knows_no_order_of_members(value):
    assert encode_canonical(dict(reversed(value.items()))) == encode_canonical(value)


@given(st.text() | st.binary())
def test_any_text_is_decoded_or_called_malformed(text):
    with contextlib.suppress(MalformedJSON):
        decode(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", "0.1"),
        ("1.10", "1.10"),
        ("1e2", "1E+2"),
        ("-0.0", "-0.0"),
        ("1234567890123456789012345678901234567890.5", "1234567890123456789012345678901234567890.5"),
        ("18446744073709551617", "18446744073709551617"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("9" * 5000, f"{'9' * 4999}9"),
    ],
)
def test_number_is_read_exactly(text, value):
    read = decode(text)

    assert not isinstance(read, float)
    assert str(read) == value
    assert decode(encode(read)) == read


@pytest.mark.parametrize("value", [0, -7, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_whole_number_of_64_bits_is_an_int(value):
    assert (decode(str(value)), type(decode(str(value)))) == (value, int)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "Infinity",
        '{"quantity": -Infinity}',
        "[1,]",
        "01",
        ".5",
        "1.",
        "1 2",
        "{1: 2}",
        "{'a': 1}",
        '"a',
        '"\t"',
        '"\0"',
        '"\\u0000"',
        '{"\\u0000": 1}',
        '["\\ud83d"]',
        '["\\ude00\\ud83d"]',
        "1e99999999999999999999",
        "0e99999999999999999999",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        "1".encode("utf-16"),
        "[" * 100_000,
        pytest.param(nested(100_000), id="100,000 levels"),
        pytest.param("[" * 900 + '"\\u0041"' + "]" * 900, id="900 levels around an escape"),
    ],
)
def test_what_is_no_json_or_cannot_be_stored_is_malformed(text):
    with pytest.raises(MalformedJSON):
        decode(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [('"\\ud83d\\ude00"', "😀"), ('"\\\\u0000"', "\\u0000"), (b'"\xf0\x9f\x98\x80"', "😀"), (" \n1\t", 1)],
)
def test_sound_text_is_not_refused(text, value):
    assert decode(text) == value


def test_lone_surrogate_in_a_text_is_malformed_as_its_escape_is():
    with pytest.raises(MalformedJSON):
        decode('"\ud83d"')


def test_last_of_two_members_of_one_name_counts():
    assert decode('{"a": 1, "b": 2, "a": 3}') == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (decode(nested(50)), True),
        (decode(nested(51)), False),
        ({"a": {"b": [Decimal("1E+999")]}}, True),
        ({"a": {"b": [Decimal("1E+1000")]}}, False),
        (decode("9" * 1000), True),
        (decode("9" * 1001), False),
        (Decimal("1E-1000"), True),
        (Decimal("1E-1001"), False),
        (Decimal("0E+999999"), False),
        (Decimal("NaN"), False),
        (Decimal("Infinity"), False),
        ("x" * 100_000, True),
        (None, True),
    ],
)
def test_what_a_column_cannot_give_back_is_known(value, kept):
    assert can_be_kept(value) is kept


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '"text"',
        "false",
        "0.1",
        "9007199254740993",
        "18446744073709551617",
        '{"price": 0.30000000000000004, "tags": ["ä", "\\\\", "\\"", "\\n"], "none": null}',
        "1e-1000",
        "123456789012345678901234567890.123456789012345678901234567890",
        pytest.param("9" * 1000, id="1,000 digits"),
        pytest.param("1e999", id="1,000 digits by exponent"),
        pytest.param(nested(50), id="50 levels"),
    ],
)
def test_column_gives_back_what_it_took(text):
    record = make.use(make.line(), "1", "2026-01-05")
    UsageRecord.objects.filter(pk=record.id).update(properties=decode(text))

    assert UsageRecord.objects.get().properties == decode(text)


@pytest.mark.django_db
@given(values.filter(can_be_kept))
def test_column_gives_back_any_value(value):
    with transaction.atomic():
        record = make.use(make.line(), "1", "2026-01-05")
        UsageRecord.objects.filter(pk=record.id).update(properties=value)
        back = UsageRecord.objects.get().properties
        transaction.set_rollback(True)

    assert back == value


@pytest.mark.django_db
def test_no_properties_are_null():
    make.use(make.line(), "1", "2026-01-05")

    assert UsageRecord.objects.filter(properties__isnull=True).count() == 1
    assert UsageRecord.objects.get().properties is None
