from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.entry.numbers import Number, NumberFormat, UnreadNumber, explain_number, read_number, spell_number

pytestmark = pytest.mark.once

POINT, COMMA, SPACE = NumberFormat.POINT, NumberFormat.COMMA, NumberFormat.SPACE
NARROW, THIN, FIXED = "\u202f", "\u2009", "\u00a0"


@pytest.mark.parametrize(
    ("style", "text", "value"),
    [
        (POINT, "0", "0"),
        (POINT, "12.5", "12.5"),
        (POINT, "1,234.5", "1234.5"),
        (POINT, "1234.5", "1234.5"),
        (POINT, "1,234,567", "1234567"),
        (POINT, "1.234", "1.234"),
        (POINT, ".5", "0.5"),
        (POINT, "-5", "-5"),
        (POINT, "+5", "5"),
        (POINT, "\u22125", "-5"),
        (POINT, " 7\u00a0", "7"),
        (POINT, "007", "7"),
        (COMMA, "12,5", "12.5"),
        (COMMA, "9,90", "9.90"),
        (COMMA, "1.234,5", "1234.5"),
        (COMMA, "1.234", "1234"),
        (COMMA, "1234,5", "1234.5"),
        (SPACE, "1 234,5", "1234.5"),
        (SPACE, f"1{FIXED}234{NARROW}567,5", "1234567.5"),
        (SPACE, f"1{THIN}234", "1234"),
        (SPACE, "1,234", "1.234"),
    ],
)
def test_number_is_read_by_its_format(style, text, value):
    assert read_number(text, style) == Number(Decimal(value), style)


@pytest.mark.parametrize(
    ("style", "text", "readings"),
    [
        (POINT, "12,5", ["12.5", "125"]),
        (POINT, "9,90", ["9.9", "990"]),
        (POINT, "1.234,5", ["1,234.5", "1.2345"]),
        (POINT, "0,123", ["0.123", "123"]),
        (POINT, "1 234,5", ["1,234.5"]),
        (POINT, "1,2345.6", ["12,345.6"]),
        (POINT, "1,23,456", ["123,456"]),
        (POINT, "1.234.567", ["1,234,567"]),
        (COMMA, "12.5", ["12,5", "125"]),
        (COMMA, ".5", ["0,5", "5"]),
        (COMMA, "1,234.5", ["1.234,5", "1,2345"]),
        (COMMA, "1 234", ["1.234"]),
        (SPACE, "1.234", ["1,234", f"1{FIXED}234"]),
        (SPACE, "12.5", ["12,5"]),
        (SPACE, "12 5", ["125"]),
    ],
)
def test_what_only_another_format_reads_is_refused_with_what_it_could_be(style, text, readings):
    refused = read_number(text, style)

    assert isinstance(refused, UnreadNumber)
    assert [str(reading) for reading in refused.readings] == readings
    assert f"It could mean {' or '.join(readings)}:" in str(refused)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "missing"),
        ("1'234.5", "apostrophe"),
        ("1\u2019234", "apostrophe"),
        ("\u0661\u0662", "digits 0 to 9"),
        ("\uff11\uff12", "digits 0 to 9"),
        ("½", "digits 0 to 9"),
        ("\u20135", "begins with -"),
        ("5-", "begins with -"),
        ("(5)", "begins with -"),
        ("1e3", "exponents"),
        ("5 EUR", "only digits"),
        ("$5", "only digits"),
        ("5%", "only digits"),
        ("NaN", "only digits"),
        ("Infinity", "only digits"),
        ("1_000", "only digits"),
        ("0x10", "only digits"),
        ("5\u200e", "U+200E"),
        ("1\x002", "U+0000"),
        ("--5", "not written as 1,234.5"),
        ("5.", "not written as 1,234.5"),
        (".", "not written as 1,234.5"),
        ("-", "begins with -"),
        ("1" * 65, "at most 64"),
    ],
)
def test_what_is_no_number_is_refused_with_a_word(text, word):
    refused = read_number(text, POINT)

    assert isinstance(refused, UnreadNumber)
    assert word in str(refused)


def test_number_is_spelled_so_that_its_marks_can_not_be_mistaken():
    assert explain_number(Decimal(1234), COMMA) == "1.234: a whole number"
    assert explain_number(Decimal("1.234"), SPACE) == "1,234: with 3 decimals"
    assert explain_number(Decimal("-1234567.5"), POINT) == "-1,234,567.5: with 1 decimal"


numbers = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**15), max_value=10**15)


@given(value=numbers, style=st.sampled_from(NumberFormat))
def test_what_is_spelled_is_read_as_the_same_number(value, style):
    assert read_number(spell_number(value, style), style) == Number(value, style)


@given(text=st.text(alphabet="0123456789.,  '-+\u00a0\u202f", max_size=12), style=st.sampled_from(NumberFormat))
def test_no_text_is_read_as_two_numbers(text, style):
    """What a format takes has its digits in order, and nothing that was typed is dropped but signs of grouping."""
    read = read_number(text, style)

    if isinstance(read, Number):
        typed = [sign for sign in text if sign.isdigit()]
        spelled = f"{read.value:f}".lstrip("-").replace(".", "")
        assert spelled.strip("0") == "".join(typed).strip("0")
