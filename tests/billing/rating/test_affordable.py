from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating import FLAT, MODELS, PER_UNIT, Budget, Coverage, Terms, Tier, model_named, rate, round_down

pytestmark = pytest.mark.once

STEP = Decimal("0.001")


def tiered(model, *tiers):
    return Terms(
        model=model_named(model),
        currency="USD",
        tiers=tuple(Tier(up_to and Decimal(up_to), Decimal(price), Decimal(fee)) for up_to, price, fee in tiers),
    )


def per_unit(price):
    return Terms(model=PER_UNIT, currency="USD", unit_price=Decimal(price))


def afforded(terms, used, wanted, amount, **options):
    budget = Budget(terms=terms, amount=Decimal(amount), **options)
    found = budget.beyond(Decimal(used), Decimal(wanted))
    return f"{found.normalize():f}"


# Up to 100 units cost 1 each, more than 100 cost 0.50 each, all of them: 101 are cheaper than 100.
CHEAPER_BY_VOLUME = tiered("volume", ("100", "1", "0"), (None, "0.5", "0"))
WITH_FEES = tiered("graduated", ("10", "2", "5"), (None, "1", "7"))


@pytest.mark.parametrize(
    ("used", "wanted", "amount", "expected"),
    [
        ("0", "4", "10", "4"),
        ("0", "5", "10", "5"),
        ("0", "6", "10", "5"),
        ("3", "4", "10", "2"),
        ("5", "1", "10", "0"),
        ("7", "1", "10", "0"),
        ("0", "6", "10.0019", "5"),  # 5.00095 units, which are 5.000 whole steps
        ("0", "6", "10.002", "5.001"),
        ("-2", "9", "10", "7"),  # what was taken back makes room
        ("0", "1", "0.002", "0.001"),
        ("-5", "10", "0", "5"),  # without any money, up to a total of zero
        ("-0.001", "1", "0", "0.001"),
        ("-9", "4", "10", "4"),  # a total below zero costs nothing
        ("4.9995", "1", "10", "0"),  # what is left is less than a step
        ("0", "0.0004", "10", "0.0004"),  # what is wanted need be no whole step
        ("0", "999999999999999", "10", "5"),
    ],
)
def test_at_2_a_unit(used, wanted, amount, expected):
    assert afforded(per_unit("2"), used, wanted, amount) == expected


@pytest.mark.parametrize(
    ("wanted", "amount", "expected"),
    [
        ("90", "60", "60"),
        ("110", "60", "110"),  # 110 x 0.50 = 55
        ("130", "60", "120"),
        ("130", "50.5", "101"),
        ("130", "50.0005", "100.001"),
        ("130", "50", "50"),  # more than 100 cost more than 50, so back to the tier below
        ("130", "100", "130"),
        ("100", "100", "100"),
        ("100", "99.9", "99.9"),
    ],
)
def test_where_a_greater_volume_costs_less(wanted, amount, expected):
    assert afforded(CHEAPER_BY_VOLUME, "0", wanted, amount) == expected


@pytest.mark.parametrize(
    ("used", "wanted", "amount", "expected"),
    [
        ("0", "4", "10", "2.5"),  # 5 + 2.5 x 2
        ("0", "4", "5", "0"),  # the fee alone
        ("0", "20", "25", "10"),  # 5 + 10 x 2
        ("0", "20", "32", "10"),  # the next tier's fee and no unit of it
        ("0", "20", "32.001", "10.001"),
        ("9", "20", "40", "9"),  # 5 + 20 + 7 + 8 = 40 at 18 units
    ],
)
def test_where_tiers_have_fees(used, wanted, amount, expected):
    assert afforded(WITH_FEES, used, wanted, amount) == expected


def test_a_flat_price_is_affordable_whole_or_not_at_all():
    flat = Terms(model=FLAT, currency="USD", unit_price=Decimal(30))

    assert afforded(flat, "0", "7", "30") == "7"
    assert afforded(flat, "0", "7", "29.99") == "0"
    assert afforded(flat, "-1", "7", "29.99") == "0"
    assert afforded(flat, "0", "7", "15", coverage=Coverage(days=15, of_days=30)) == "7"


def test_what_costs_nothing_is_affordable_without_end():
    assert afforded(per_unit("0"), "10", "999999999999999.999", "0.01") == "999999999999999.999"


@pytest.mark.parametrize(
    ("quantity", "expected"), [("1.0019", "1.001"), ("1.001", "1.001"), ("0.0009", "0"), ("-0.0001", "-0.001")]
)
def test_rounding_down_to_a_thousandth(quantity, expected):
    assert round_down(Decimal(quantity)) == Decimal(expected)


steps = st.integers(-40, 60).map(lambda n: STEP * n)
money = st.decimals(min_value=0, max_value=50, places=2)


@st.composite
def priced(draw, *, places=3):
    model = draw(st.sampled_from(MODELS))
    price = st.integers(0, 900).map(Decimal)
    if not model.is_tiered:
        return Terms(model=model, currency="USD", unit_price=draw(price))
    bounds = sorted(draw(st.sets(st.integers(1, 80), max_size=3)))
    return Terms(
        model=model,
        currency="USD",
        tiers=tuple(
            Tier(
                None if bound is None else Decimal(bound).scaleb(-places),
                draw(price),
                draw(st.integers(0, 2).map(lambda n: Decimal(n) / 10)),
            )
            for bound in (*bounds, None)
        ),
    )


wanted_steps = st.integers(1, 80).map(lambda n: STEP * n)
rests = st.sampled_from(["0", "0.0005", "0.000000001"])
coverages = st.one_of(st.none(), st.integers(0, 31).map(lambda days: Coverage(days=days, of_days=31)))


@given(
    terms=st.one_of(priced(), priced(places=4)),
    used=steps,
    wanted=wanted_steps,
    amount=money,
    rests=st.tuples(rests, rests),
    coverage=coverages,
)
def test_nothing_greater_is_affordable(terms, used, wanted, amount, rests, coverage):
    used, wanted = used + Decimal(rests[0]), wanted + Decimal(rests[1])

    tried = [wanted, *(STEP * n for n in range(int(wanted / STEP), 0, -1))]
    costs = ((more, rate(terms=terms, quantity=used + more, coverage=coverage).unrounded) for more in tried)
    fitting = (more for more, cost in costs if cost <= amount)

    budget = Budget(terms=terms, amount=amount, coverage=coverage)
    assert budget.beyond(used, wanted) == next(fitting, 0)


@given(terms=st.one_of(priced(), priced(places=4)), quantity=steps, rest=rests, coverage=coverages)
def test_the_pieces_of_a_price_cost_what_it_rates(terms, quantity, rest, coverage):
    quantity += Decimal(rest)
    cost = rate(terms=terms, quantity=quantity, coverage=coverage).unrounded

    assert Budget(terms=terms, amount=cost, coverage=coverage).affords(quantity)
    assert not Budget(terms=terms, amount=cost - Decimal("1e-21"), coverage=coverage).affords(quantity)
