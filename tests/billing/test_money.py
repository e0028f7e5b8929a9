from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.money import (
    EXACT,
    DigitsRefused,
    UnknownCurrency,
    difference,
    exact_digits,
    format_decimal,
    format_money,
    format_price,
    minor_digits,
    prorate,
    round_money,
    round_quantity,
    total_of,
)

pytestmark = pytest.mark.once

amounts = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, places=12)
currencies = st.sampled_from(["JPY", "USD", "KWD", "CLF"])


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("CLP", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("CLF", 4)]
)
def test_minor_digits_follow_iso_4217(currency, digits):
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["XAU", "XXX", "usd", "", "US", "EURO", "ZZZ"])
def test_minor_digits_refuses_what_is_no_currency(code):
    with pytest.raises(UnknownCurrency, match=f"'{code}' is not a currency with a minor unit"):
        minor_digits(code)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("226", "USD", "226.00"),
        ("0.005", "USD", "0.01"),
        ("0.015", "USD", "0.02"),
        ("0.025", "USD", "0.03"),
        ("-0.005", "USD", "-0.01"),
        ("-0.004", "USD", "0.00"),
        ("0.0049999999999999999999999999999999999", "USD", "0.00"),
        ("1.5", "JPY", "2"),
        ("2.5", "JPY", "3"),
        ("1E+3", "JPY", "1000"),
        ("1.2345", "KWD", "1.235"),
        ("1.23445", "CLF", "1.2345"),
        ("123456789012345678901234567890.125", "USD", "123456789012345678901234567890.13"),
    ],
)
def test_round_money_rounds_half_up_to_the_minor_unit(amount, currency, rounded):
    assert str(round_money(Decimal(amount), currency=currency)) == rounded
    assert format_money(Decimal(amount), currency=currency) == rounded


@pytest.mark.parametrize(
    ("quantity", "rounded"),
    [
        ("1", "1"),
        ("0.0000000005", "0.000000001"),
        ("-0.0000000005", "-0.000000001"),
        ("1.1234567894", "1.123456789"),
    ],
)
def test_round_quantity_rounds_half_up_to_9_places(quantity, rounded):
    assert round_quantity(Decimal(quantity)) == Decimal(rounded)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_rounding_and_writing_refuse_what_is_no_number(value):
    for attempt in (
        lambda: round_money(Decimal(value), currency="USD"),
        lambda: round_quantity(Decimal(value)),
        lambda: prorate(Decimal(value), days=1, of_days=2),
        lambda: format_decimal(Decimal(value)),
    ):
        with pytest.raises(ValueError, match="not a number"):
            attempt()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10", "10"),
        ("1E+1", "10"),
        ("100", "100"),
        ("0.50", "0.5"),
        ("5E-7", "0.0000005"),
        ("0E-12", "0"),
        ("-0.00", "0"),
        ("-3.25", "-3.25"),
        ("12345678901234567890123456789012345.10", "12345678901234567890123456789012345.1"),
    ],
)
def test_format_decimal_is_plain(value, text):
    assert format_decimal(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("5", "USD", "5.00"),
        ("5.5000", "USD", "5.50"),
        ("0.0025", "USD", "0.0025"),
        ("100", "JPY", "100"),
        ("0.5", "JPY", "0.5"),
        ("1", "KWD", "1.000"),
        ("-0.00", "USD", "0.00"),
    ],
)
def test_format_price_has_the_minor_digits_and_never_rounds(value, currency, text):
    assert format_price(Decimal(value), currency=currency) == text


@pytest.mark.parametrize(
    ("amount", "days", "of_days", "prorated"),
    [
        ("100", 15, 30, "50"),
        ("100", 15, 31, "48.387096774193"),  # 48.3870967741935.. : a last digit of 3 is kept
        ("0.10", 1, 30, "0.003333333333"),
        ("1", 1, 366, "0.002732240437"),
        ("3", 29, 30, "2.9"),
        # A third of 1e-12 below 0.045: half up at 12 places would make it a tie, and a cent too much.
        ("0.139499999999", 10, 31, "0.044999999999"),
    ],
)
def test_prorate_keeps_12_places(amount, days, of_days, prorated):
    assert prorate(Decimal(amount), days=days, of_days=of_days) == Decimal(prorated)


@given(amounts, st.integers(1, 366), st.integers(0, 365), currencies)
@example(Decimal("0.139499999999"), 10, 21, "USD")
def test_prorate_then_round_equals_rounding_the_exact_quotient(amount, days, more, currency):
    of_days = days + more
    unit = Fraction(1, 10 ** minor_digits(currency))
    exact = Fraction(amount) * days / of_days
    half_up = (abs(exact) / unit + Fraction(1, 2)) // 1 * unit * (1 if exact >= 0 else -1)

    rounded = round_money(prorate(amount, days=days, of_days=of_days), currency=currency)

    assert Fraction(rounded) == half_up


@given(amounts, currencies)
def test_round_money_moves_by_half_a_minor_unit_at_most(amount, currency):
    rounded = round_money(amount, currency=currency)
    assert abs(Fraction(rounded) - Fraction(amount)) <= Fraction(1, 2 * 10 ** minor_digits(currency))
    assert rounded.as_tuple().exponent == -minor_digits(currency)


@given(amounts)
def test_format_decimal_reads_back(amount):
    assert Decimal(format_decimal(amount)) == amount


def test_results_do_not_depend_on_the_decimal_context():
    amount = Decimal("1234567890.125")
    with localcontext(Context(prec=5, rounding=ROUND_HALF_EVEN)):
        assert str(round_money(amount, currency="USD")) == "1234567890.13"
        assert format_price(amount, currency="USD") == "1234567890.125"
        assert str(prorate(amount, days=1, of_days=8)) == "154320986.265625000000"
        assert str(EXACT.multiply(amount, Decimal(3))) == "3703703670.375"


def test_sums_and_differences_of_more_digits_than_a_threads_context_keeps_are_exact():
    # 28,916,666,666,666,664,666,666,640,974,084.33 and a cent, written out as 34 digits.
    great = Decimal("28916666666666664666666640974084.33")

    assert total_of([great, Decimal("0.01")]) == Decimal("28916666666666664666666640974084.34")
    assert difference(great, Decimal("0.03")) == Decimal("28916666666666664666666640974084.30")
    assert total_of([]) == 0


@pytest.mark.parametrize(
    ("number", "kept"), [("1", "1.00"), ("-12.5", "-12.50"), ("999.99", "999.99"), ("0", "0.00"), ("1e2", "100.00")]
)
def test_number_is_kept_with_all_of_its_digits(number, kept):
    assert str(exact_digits(Decimal(number), before=3, after=2)) == kept


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1000", "Ensure that there are no more than 3 digits before the decimal point."),
        ("-1000.001", "Ensure that there are no more than 3 digits before the decimal point."),
        ("1e999999", "Ensure that there are no more than 3 digits before the decimal point."),
        ("0.001", "Ensure that there are no more than 2 decimal places."),
    ],
)
def test_number_with_more_digits_is_refused_and_never_rounded(number, message):
    with pytest.raises(DigitsRefused) as refusal:
        exact_digits(Decimal(number), before=3, after=2)
    assert str(refusal.value) == message


def test_more_digits_than_a_context_has_by_default_are_kept():
    number = Decimal("123456789012345678901234567890.123456789")

    assert exact_digits(number, before=30, after=9) == number
