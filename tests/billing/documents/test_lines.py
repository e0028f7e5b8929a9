"""The lines of a document, as its JSON has them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.documents.lines import (
    DocumentLine,
    DocumentPrice,
    DocumentStep,
    DocumentTerms,
    Span,
    amount_text,
    moment,
    steps_of,
)
from billing.models import InvoiceLine
from billing.rating import Charge, Step, TermsError
from tests import factories as make
from tests.scenarios.closing import close


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), "2026-01-31T23:59:59Z"),
        (datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")), "2026-06-30T22:00:00Z"),
        (datetime(2026, 1, 1, 0, 0, 0, 250, tzinfo=UTC), "2026-01-01T00:00:00.000250Z"),
    ],
)
def test_a_moment_is_told_in_utc(value, text):
    assert moment(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [("20.00", "20.00"), ("-0.50", "-0.50"), ("1E+3", "1000"), ("0.000", "0.000"), ("360", "360")]
)
def test_an_amount_keeps_its_decimals(value, text):
    assert amount_text(Decimal(value)) == text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_amount_is_refused(value):
    with pytest.raises(ValueError, match="is not an amount"):
        amount_text(Decimal(value))


def test_a_step_has_plain_numbers_and_none_where_it_has_none():
    step = DocumentStep(
        kind="fee",
        text="fee = 5.00",
        quantity=None,
        unit_price=None,
        amount=Decimal("5.00"),
        lower=Decimal("1E+1"),
        upper=None,
    )

    assert step.as_dict() == {
        "kind": "fee",
        "text": "fee = 5.00",
        "quantity": None,
        "unit_price": None,
        "amount": "5",
        "lower": "10",
        "upper": None,
    }


def test_steps_of_a_charge_are_kept_in_plain_numbers():
    units = Step(
        kind="units",
        text="1200 units x 0.10 = 120.00",
        quantity=Decimal("1.2E+3"),
        unit_price=Decimal("0.100"),
        amount=Decimal("120.0"),
        lower=Decimal(0),
        upper=Decimal("1E+4"),
    )
    fee = Step("fee", "fee = 5.00", None, None, Decimal(5))

    kept = steps_of(Charge(Decimal("125.00"), Decimal(125), (units, fee)))

    nothing = dict.fromkeys(("quantity", "unit_price", "lower", "upper"))
    assert kept == [
        {
            "kind": "units",
            "text": "1200 units x 0.10 = 120.00",
            "quantity": "1200",
            "unit_price": "0.1",
            "amount": "120",
            "lower": "0",
            "upper": "10000",
        },
        {"kind": "fee", "text": "fee = 5.00", "amount": "5"} | nothing,
    ]


@pytest.mark.django_db
def test_a_line_tells_what_its_row_its_brick_and_its_price_say():
    # 21 units: 10 at $5, 10 at $4 and a fee of $1, 1 at $3 and a fee of $2.
    line = make.line(model="graduated", tiers=[("10", "5", "0"), ("20", "4", "1"), (None, "3", "2")])
    make.use(line, "21", "2026-01-10")
    close(line.workspace, "2026-02-01")
    row = InvoiceLine.objects.select_related("line__brick", "price").get()

    told = DocumentLine.of(row, currency="USD").as_dict()

    steps = told.pop("steps")
    assert [(step["kind"], step["amount"]) for step in steps] == [
        ("units", "50"),
        ("units", "40"),
        ("fee", "1"),
        ("units", "3"),
        ("fee", "2"),
    ]
    assert told == {
        "position": 1,
        "kind": "usage",
        "description": "API calls",
        # Clients know a line by its number.
        "line_id": line.number,
        "brick_id": str(line.brick_id),
        "aggregation": "sum",
        "unit_label": "units",
        "period": {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"},
        "days": 31,
        "of_days": 31,
        "cutoff": row.cutoff,
        "quantity": "21",
        "record_count": 1,
        "price": {
            "id": line.price_id,
            "name": "API calls graduated",
            "terms": {
                "model": "graduated",
                "currency": "USD",
                "unit_price": "0",
                "tiers": [
                    {"up_to": "10", "unit_price": "5", "fee": "0"},
                    {"up_to": "20", "unit_price": "4", "fee": "1"},
                    {"up_to": None, "unit_price": "3", "fee": "2"},
                ],
            },
        },
        "surprise": "",
        "rated": "96.00",
        "billed_before": "0.00",
        "amount": "96.00",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "amount"), [("USD", "2.00"), ("JPY", "2"), ("KWD", "2.000")])
def test_amounts_have_the_decimals_of_the_currency(currency, amount):
    line = make.line(make.workspace(currency=currency))
    make.use(line, "1", "2026-01-10")
    close(line.workspace, "2026-02-01")
    row = InvoiceLine.objects.select_related("line__brick", "price").get()

    told = DocumentLine.of(row, currency=currency).as_dict()

    assert (told["rated"], told["amount"]) == (amount, amount)


@pytest.mark.django_db
def test_a_price_that_is_given_takes_the_place_of_the_rows():
    line = make.line()
    make.use(line, "1", "2026-01-10")
    close(line.workspace, "2026-02-01")
    row = InvoiceLine.objects.select_related("line__brick", "price").get()
    terms = DocumentTerms(model="flat", currency="USD", unit_price=Decimal(9), tiers=())
    price = DocumentPrice(id=7, name="As agreed", terms=terms)

    assert DocumentLine.of(row, currency="USD", price=price).price == price
    assert DocumentLine.of(row, currency="USD").price.name == "API calls per_unit"
    assert DocumentLine.of(row, currency="USD").period == Span.of(row)


@pytest.mark.django_db
def test_a_price_without_its_tiers_is_no_part_of_a_document():
    price = make.line(model="volume", tiers=[("10", "5", "0"), (None, "3", "0")]).price
    price.tiers.filter(up_to=None).delete()

    with pytest.raises(TermsError):
        DocumentPrice.of(price)
