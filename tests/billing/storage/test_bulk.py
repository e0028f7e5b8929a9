from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import CustomerAlias, NumberSeries
from billing.storage import bulk
from tests import factories as make
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AWKWARD = ["\t", "\\N", "\\.", "\\", "a\nb\r\nc", "'", '"', "ä€😀", "NULL", " ", "%s", "{}", "x" * 255]


def alias_row(customer, value):
    return {"workspace_id": customer.workspace_id, "customer_id": customer.pk, "value": value, "label": ""}


def record_row(line, **changes):
    return {
        "workspace_id": line.workspace_id,
        "line_id": line.pk,
        "quantity": Decimal("1"),
        "occurred_at": datetime(2026, 1, 5, tzinfo=UTC),
        "recorded_at": datetime(2026, 1, 6, tzinfo=UTC),
        "is_late": False,
        "kind": "entry",
        "source": "file",
        "dialect": "tests",
        "key": None,
        "recorded_by": "tests",
        "note": "",
        "properties": None,
    } | changes


def test_ids_are_returned_in_the_order_of_the_rows():
    customer = make.customer(make.workspace())
    values = [str(number) for number in range(2500, 0, -1)]

    ids = bulk.insert(model=CustomerAlias, rows=(alias_row(customer, value) for value in values))

    assert list(CustomerAlias.objects.order_by("id").values_list("id", "value")) == list(zip(ids, values, strict=True))


def test_no_rows_are_no_work(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert bulk.insert(model=CustomerAlias, rows=iter(())) == []


def test_text_is_kept_as_it_is():
    customer = make.customer(make.workspace())

    bulk.insert(model=CustomerAlias, rows=[alias_row(customer, value) for value in AWKWARD])

    assert list(CustomerAlias.objects.order_by("id").values_list("value", flat=True)) == AWKWARD


def test_columns_left_out_get_their_default():
    customer = make.customer(make.workspace())

    bulk.insert(model=CustomerAlias, rows=[alias_row(customer, "globex-eu")])

    assert CustomerAlias.objects.get().created_at.tzinfo is UTC


def test_every_kind_of_column_is_kept_exactly():
    line = make.line()
    moment = datetime(2026, 1, 5, 12, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    properties = {"price": Decimal("0.10"), "text": 'a\\"b\n\t\\N', "none": None, "list": [True, 1]}

    bulk.insert(
        model=UsageRecord,
        rows=[
            record_row(line, quantity=Decimal("999999999999999.999999999"), occurred_at=moment, properties=properties),
            record_row(line, quantity=Decimal("-1E-9"), is_late=True, key="k", note="\\N"),
        ],
    )

    first, second = UsageRecord.objects.order_by("id")
    assert (str(first.quantity), first.occurred_at, first.properties, first.key, first.is_late) == (
        "999999999999999.999999999",
        moment,
        properties,
        None,
        False,
    )
    assert (f"{second.quantity:f}", second.properties, second.key, second.note, second.is_late) == (
        "-0.000000001",
        None,
        "k",
        "\\N",
        True,
    )


def test_columns_may_stand_in_any_order():
    customer = make.customer(make.workspace())
    rows = [alias_row(customer, "a"), dict(reversed(alias_row(customer, "b").items()))]

    bulk.insert(model=CustomerAlias, rows=rows)

    assert list(CustomerAlias.objects.order_by("id").values_list("value", "customer")) == [
        ("a", customer.pk),
        ("b", customer.pk),
    ]


@pytest.mark.parametrize("quantity", ["1E+15", "1E-10", "NaN", "Infinity"])
def test_decimal_that_does_not_fit_is_refused_and_no_row_kept(quantity):
    line = make.line()

    with pytest.raises(ValueError, match="quantity"), transaction.atomic():
        bulk.insert(model=UsageRecord, rows=[record_row(line), record_row(line, quantity=Decimal(quantity))])

    assert not UsageRecord.objects.exists()


def test_constraints_hold():
    workspace = make.workspace()

    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(model=NumberSeries, rows=[{"workspace_id": workspace.pk, "kind": "invoice", "next_sequence": 1}])

    assert workspace.pk in NumberSeries.objects.values_list("workspace_id", flat=True)
    assert NumberSeries.objects.count() == 6


def test_rows_made_one_by_one_follow_those_made_at_once():
    customer = make.customer(make.workspace())
    ids = bulk.insert(model=CustomerAlias, rows=[alias_row(customer, value) for value in "ab"])

    assert CustomerAlias.objects.create(**alias_row(customer, "c")).pk == ids[-1] + 1
