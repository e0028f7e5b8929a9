from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Max, Min, Q, QuerySet
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Brick, Line, Price
from billing.storage.exact import ExactDecimalField, ExactSum
from tests import factories as make
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = datetime(2026, 1, 5, tzinfo=UTC)
GREATEST = Decimal("999999999999999.999999999")
SMALLEST = Decimal("0.000000001")

quantities = st.decimals(min_value=-GREATEST, max_value=GREATEST, places=9)


@pytest.fixture
def line() -> Line:
    return make.line()


ENTRY: dict[str, Any] = {
    "occurred_at": AT,
    "recorded_at": AT,
    "is_late": False,
    "kind": UsageRecord.Kind.ENTRY,
    "source": "api",
    "dialect": "tests",
    "recorded_by": "tests",
}


def keep(line: Line, values: Sequence[str | Decimal]) -> QuerySet[UsageRecord]:
    records = UsageRecord.objects.bulk_create(
        UsageRecord(
            workspace_id=line.workspace_id,
            line=line,
            quantity=Decimal(value),
            **ENTRY,
        )
        for value in values
    )
    return UsageRecord.objects.filter(pk__in=[record.pk for record in records])


def keep_nothing(line: Line) -> UsageRecord:
    """A record that counts an event and has no quantity of its own."""
    return UsageRecord.objects.create(
        workspace_id=line.workspace_id,
        customer_alias="globex",
        event_type="login",
        **ENTRY,
    )


def kept(records: QuerySet[UsageRecord]) -> list[Decimal | None]:
    return list(records.values_list("quantity", flat=True))


def sum_of(records: QuerySet[UsageRecord], **options: Any) -> Decimal | None:
    return records.aggregate(total=ExactSum("quantity", **options))["total"]


@pytest.mark.parametrize(
    ("given", "back"),
    [
        ("0.1", "0.100000000"),
        ("-0", "0.000000000"),
        ("-0.000000001", "-0.000000001"),
        ("1E+3", "1000.000000000"),
        ("0E+400", "0.000000000"),
        ("7.10000000000000", "7.100000000"),
        ("123456789012345.123456789", "123456789012345.123456789"),
        ("-999999999999999.999999999", "-999999999999999.999999999"),
    ],
)
def test_decimal_comes_back_digit_for_digit(line, given, back):
    records = keep(line, [given])

    assert [f"{quantity:f}" for quantity in kept(records)] == [back]


@pytest.mark.parametrize(
    "value",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1E+15", "-1000000000000000", "0.0000000001", "1E-999999", "1E+999999"],
)
def test_value_that_the_column_would_round_is_refused(line, value):
    with pytest.raises(ValueError, match="quantity"), transaction.atomic():
        keep(line, [value])
    assert not UsageRecord.objects.exists()


@pytest.mark.parametrize("value", [0.1, 2.0, float("nan")])
def test_float_is_refused_when_it_is_saved(value):
    with pytest.raises(TypeError, match="a float is not an exact number"):
        ExactDecimalField(name="quantity", max_digits=24, decimal_places=9).get_db_prep_save(value, connection)


def test_values_sort_as_numbers(line):
    records = keep(line, ["10", "9", "-10", "-9", "0", "100.5", "-0.000000001", "0.1"])

    ascending = [Decimal(text) for text in ("-10", "-9", "-0.000000001", "0", "0.1", "9", "10", "100.5")]
    assert kept(records.order_by("quantity")) == ascending
    assert kept(records.order_by("-quantity")) == ascending[::-1]


@pytest.mark.parametrize(
    ("lookup", "found"),
    [
        ({"quantity": 10}, ["10"]),
        ({"quantity": "10.00"}, ["10"]),
        ({"quantity": Decimal("1E+1")}, ["10"]),
        ({"quantity": Decimal("-0")}, ["0"]),
        ({"quantity__gt": 9}, ["10", "100"]),
        ({"quantity__gte": "9"}, ["9", "10", "100"]),
        ({"quantity__lt": -9}, ["-100", "-10"]),
        ({"quantity__lte": Decimal("-9")}, ["-100", "-10", "-9"]),
        ({"quantity__lt": 0}, ["-100", "-10", "-9"]),
        ({"quantity__in": [Decimal("9.0"), "-10", 7]}, ["-10", "9"]),
        ({"quantity__range": (-10, 9)}, ["-10", "-9", "0", "9"]),
        ({"quantity__gte": F("quantity")}, ["-100", "-10", "-9", "0", "9", "10", "100"]),
        ({"quantity__isnull": True}, []),
        ({"quantity": None}, []),
    ],
)
def test_lookup_compares_numbers(line, lookup, found):
    records = keep(line, ["10", "9", "0", "-9", "-10", "100", "-100"])

    assert kept(records.filter(**lookup).order_by("quantity")) == [Decimal(text) for text in found]


def test_missing_quantity_is_neither_less_nor_more_and_adds_nothing(line):
    keep(line, ["-1", "2"])
    keep_nothing(line)
    everything = UsageRecord.objects.order_by("pk")

    assert kept(everything) == [-1, 2, None]
    assert kept(everything.filter(quantity=None)) == [None]
    assert kept(everything.exclude(quantity=None)) == [-1, 2]
    assert kept(everything.filter(Q(quantity__lt=0) | Q(quantity__gte=0))) == [-1, 2]
    assert sum_of(everything) == 1


def test_least_and_greatest_are_those_of_numbers(line):
    records = keep(line, ["10", "9", "-10", "-9"])

    assert records.aggregate(least=Min("quantity"), greatest=Max("quantity")) == {"least": -10, "greatest": 10}


def test_sum_adds_what_floats_cannot(line):
    tenths = keep(line, ["0.1"] * 10)
    far_apart = keep(line, [GREATEST, SMALLEST, "-0.000000002", GREATEST])

    assert str(sum_of(tenths)) == "1.000000000"
    assert str(sum_of(far_apart)) == "1999999999999999.999999997"


def test_sum_of_nothing_is_null(line):
    assert sum_of(UsageRecord.objects.all()) is None


def test_sum_takes_a_filter_and_distinct_values(line):
    records = keep(line, ["2", "2", "-1", "10"])

    assert sum_of(records, filter=Q(quantity__gt=0)) == 14
    assert sum_of(records, distinct=True) == 11


def test_sums_compare_and_sort_as_numbers(line):
    lines = [line, make.line(make.workspace("b")), make.line(make.workspace("c"))]
    for each, value in zip(lines, ["9", "10", "-10"], strict=True):
        keep(each, [value])
    totals = UsageRecord.objects.values("line").annotate(total=ExactSum("quantity"))

    assert list(totals.order_by("total").values_list("total", flat=True)) == [-10, 9, 10]
    assert list(totals.filter(total__gt=9).values_list("total", flat=True)) == [10]
    assert list(totals.filter(total__lt=-9).values_list("total", flat=True)) == [-10]


@given(st.lists(quantities, min_size=1, max_size=12), quantities)
def test_database_agrees_with_python(values, pivot):
    with transaction.atomic():
        records = keep(make.line(), values)
        found = {
            "sorted": kept(records.order_by("quantity")),
            "below": kept(records.filter(quantity__lt=pivot).order_by("quantity")),
            "least": records.aggregate(Min("quantity"))["quantity__min"],
            "greatest": records.aggregate(Max("quantity"))["quantity__max"],
            "equal to the first": records.filter(quantity=values[0]).count(),
            "sum": sum_of(records),
        }
        transaction.set_rollback(True)

    assert found == {
        "sorted": sorted(values),
        "below": sorted(value for value in values if value < pivot),
        "least": min(values),
        "greatest": max(values),
        "equal to the first": values.count(values[0]),
        # Whole billionths: Python's own integers know no precision.
        "sum": Decimal(sum(int(value.scaleb(9)) for value in values)).scaleb(-9),
    }


def test_sum_of_products_is_exact_beyond_28_digits(line):
    # 999999999999999.999999999 x 86,400,000,000 has 35 digits; twice that, less 0.000000001 x 86,400,000,000 = 86.4.
    keep(line, [GREATEST, GREATEST, -SMALLEST])
    product = {
        "sqlite": "exact_sum_product(quantity, 86400000000)",
        "postgresql": "SUM(quantity * 86400000000)",
    }[connection.vendor]

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {product} FROM usage_usagerecord")
        [total] = cursor.fetchone()

    assert Decimal(total) == Decimal("172799999999999999999999740.8")


def test_product_with_nothing_adds_nothing(line):
    keep(line, ["2.5"])
    keep_nothing(line)
    product = {"sqlite": "exact_sum_product(quantity, 4)", "postgresql": "SUM(quantity * 4)"}[connection.vendor]

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {product} FROM usage_usagerecord")
        assert [Decimal(total) for total in cursor.fetchone()] == [10]
        cursor.execute(f"SELECT {product} FROM usage_usagerecord WHERE quantity IS NULL")
        assert cursor.fetchone() == (None,)


def test_update_keeps_every_digit():
    price = make.price(make.brick(make.workspace()))
    Price.objects.filter(pk=price.pk).update(unit_price=Decimal("123456789012345.000000000001"))
    assert str(Price.objects.get().unit_price) == "123456789012345.000000000001"

    price.unit_price = Decimal("0.1")
    Price.objects.bulk_update([price], ["unit_price"])
    assert str(Price.objects.get().unit_price) == "0.100000000000"


def test_form_reads_and_checks_an_exact_number():
    field = ExactDecimalField(max_digits=24, decimal_places=9).formfield()

    assert str(field.clean("123456789012345.123456789")) == "123456789012345.123456789"
    assert [field.max_digits, field.decimal_places] == [24, 9]


def test_joined_decimal_is_exact_too():
    price = make.price(make.brick(make.workspace()), "0.000000000001")

    assert list(Brick.objects.filter(prices__unit_price__lt=1).values_list("prices__unit_price", flat=True)) == [
        price.unit_price
    ]
