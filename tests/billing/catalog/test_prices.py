from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, history
from billing.models import Price, PriceTier
from billing.rating import Terms, TermsError, Tier, model_named
from tests import factories as make
from tests.scenarios.closing import close

pytestmark = pytest.mark.django_db

GRADUATED = (("10", "2", "5"), ("100", "1.5", "0"), (None, "0.000000000001", "0"))


def created(**changes):
    brick = make.brick(make.workspace())
    return catalog.create_price(
        **{"brick": brick, "name": "List", "model": "per_unit", "currency": "USD", "unit_price": Decimal(2)} | changes,
        actor=make.ACTOR,
    )


def tier(up_to, unit_price="1", fee="0"):
    return Tier(None if up_to is None else Decimal(up_to), Decimal(unit_price), Decimal(fee))


@pytest.mark.parametrize("model", ["flat", "per_unit"])
def test_price_reads_as_the_terms_it_was_made_from(model):
    price = created(model=model, unit_price=Decimal("0.000000000001"))

    assert price.workspace == price.brick.workspace
    assert Price.objects.get().terms() == Terms(
        model=model_named(model), currency="USD", unit_price=Decimal("0.000000000001")
    )


@pytest.mark.parametrize("model", ["graduated", "volume"])
def test_tiers_are_read_in_order_whatever_the_order_they_were_given_in(model):
    tiers = [tier(*row) for row in GRADUATED]

    price = created(model=model, unit_price=Decimal(0), tiers=tiers[::-1])

    assert list(Price.objects.get().terms().tiers) == tiers
    assert [str(row) for row in price.tiers.order_by("id")] == ["the rest", "up to 100", "up to 10"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"model": "stairs"},
        {"currency": "usd"},
        {"currency": "XAU"},
        {"unit_price": Decimal(-1)},
        {"unit_price": Decimal("1E+15")},
        {"unit_price": Decimal("1E-13")},
        {"unit_price": Decimal("NaN")},
        {"model": "graduated", "unit_price": Decimal(0)},
        {"model": "graduated", "unit_price": Decimal(1), "tiers": [tier(None)]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier("10")]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier("0"), tier(None)]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier("-1"), tier(None)]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier("10"), tier("10"), tier(None)]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier(None), tier(None)]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier(None, "-1")]},
        {"model": "graduated", "unit_price": Decimal(0), "tiers": [tier(None, "1", "-1")]},
        {"model": "volume", "unit_price": Decimal(0), "tiers": [tier(None, "1E-13")]},
        {"model": "volume", "unit_price": Decimal(0), "tiers": [tier(None, "1E+15")]},
        {"model": "volume", "unit_price": Decimal(0), "tiers": [tier("1E-10"), tier(None)]},
        {"model": "volume", "unit_price": Decimal(0), "tiers": [tier("NaN"), tier(None)]},
        {"model": "per_unit", "tiers": [tier(None)]},
        {"model": "flat", "tiers": [tier(None)]},
    ],
)
def test_unsound_price_is_refused_and_none_is_made(changes):
    with pytest.raises((ValidationError, TermsError)):
        created(**changes)

    assert not Price.objects.exists()
    assert not PriceTier.objects.exists()


def test_copy_has_the_same_terms_and_is_another_price():
    price = make.price(make.brick(make.workspace()), model="graduated", tiers=GRADUATED)

    copy = catalog.copy_price(price=price, name="List 2027", actor=make.ACTOR)

    assert copy.terms() == price.terms()
    assert (copy.name, copy.brick, copy.workspace) == ("List 2027", price.brick, price.workspace)
    assert set(copy.tiers.all()).isdisjoint(price.tiers.all())


def test_changed_copy_leaves_the_price_as_it_was():
    price = make.price(make.brick(make.workspace()), model="volume", tiers=GRADUATED)
    before = price.terms()

    copy = catalog.copy_price(price=price, name="List 2027", actor=make.ACTOR)
    copy.tiers.filter(up_to=10).update(unit_price=Decimal(3))

    assert Price.objects.get(pk=price.pk).terms() == before
    assert [row.unit_price for row in Price.objects.get(pk=copy.pk).terms().tiers] == [
        Decimal(3),
        Decimal("1.5"),
        Decimal("0.000000000001"),
    ]


def test_incomplete_price_is_not_copied():
    brick = make.brick(make.workspace())
    price = Price.objects.create(workspace=brick.workspace, brick=brick, name="x", model="volume", currency="USD")

    with pytest.raises(TermsError):
        catalog.copy_price(price=price, name="copy", actor=make.ACTOR)

    assert Price.objects.get() == price


def test_price_is_billed_from_its_first_draft_on():
    line = make.line()
    other = catalog.copy_price(price=line.price, name="copy", actor=make.ACTOR)
    make.use(line, "1", "2026-01-05")
    assert not catalog.is_billed(line.price)

    close(line.workspace, "2026-02-01")

    assert [catalog.is_billed(price) for price in (line.price, other)] == [True, False]


def test_price_has_no_more_tiers_than_its_bound():
    brick = make.brick(make.workspace())
    bounds = [(str(n + 1), "1", "0") for n in range(100)]

    with pytest.raises(ValidationError) as refused:
        make.price(brick, model="graduated", tiers=[*bounds, (None, "1", "0")])

    assert refused.value.message_dict == {"tiers": ["A price has at most 100 tiers, not 101."]}
    assert make.price(brick, model="graduated", tiers=[*bounds[:99], (None, "1", "0")]).tiers.count() == 100


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nb", "", "x" * 201])
def test_a_copy_is_given_no_name_that_a_price_could_not_have(name):
    price = make.line().price

    with pytest.raises(ValidationError) as refusal:
        catalog.copy_price(price=price, name=name, actor=make.ACTOR)

    assert list(refusal.value.message_dict) == ["name"]
    assert Price.objects.count() == 1


def tiers_in(price):
    return [(row.up_to, row.unit_price, row.fee) for row in Price.objects.get(pk=price.pk).terms().tiers]


def told_of(price):
    return [(change.action, dict(change.values)) for change in history.changes_of(price)]


def test_what_is_given_of_a_price_is_changed_and_the_rest_stays():
    price = created()

    changed = catalog.change_price(price=price, name="List 2027", unit_price=Decimal("2.5"), actor=make.ACTOR)

    assert (changed.pk, changed.name, changed.model, changed.unit_price) == (
        price.pk,
        "List 2027",
        "per_unit",
        Decimal("2.5"),
    )
    assert told_of(price)[0] == ("changed", {"name": ["List", "List 2027"], "unit_price": ["2", "2.5"]})


def test_tiers_are_replaced_and_the_change_is_told():
    price = make.price(make.brick(make.workspace()), model="graduated", tiers=GRADUATED)

    catalog.change_price(
        price=price, tiers=[tier(None, "3"), tier("100", "1.5"), tier("20", "2", "5")], actor=make.ACTOR
    )

    assert tiers_in(price) == [(20, 2, 5), (100, Decimal("1.5"), 0), (None, 3, 0)]
    action, values = told_of(price)[0]
    assert (action, list(values)) == ("changed", ["tiers"])
    assert values["tiers"][1] == ["up to 20: 2, fee 5", "up to 100: 1.5, fee 0", "up to any: 3, fee 0"]


def test_tiers_may_swap_their_bounds():
    price = make.price(
        make.brick(make.workspace()), model="volume", tiers=[("1", "5", "0"), ("2", "4", "0"), (None, "3", "0")]
    )

    catalog.change_price(price=price, tiers=[tier("2", "5"), tier("1", "4"), tier(None, "3")], actor=make.ACTOR)

    assert tiers_in(price) == [(1, 4, 0), (2, 5, 0), (None, 3, 0)]


def test_a_price_becomes_tiered_with_its_tiers_and_flat_without_them():
    price = created()

    catalog.change_price(
        price=price, model="graduated", unit_price=Decimal(0), tiers=[tier("5"), tier(None)], actor=make.ACTOR
    )
    assert tiers_in(price) == [(5, 1, 0), (None, 1, 0)]

    changed = catalog.change_price(price=price, model="flat", unit_price=Decimal(9), tiers=[], actor=make.ACTOR)
    assert (changed.model, changed.unit_price, tiers_in(price)) == ("flat", Decimal(9), [])


def test_a_change_of_nothing_writes_nothing():
    price = make.price(make.brick(make.workspace()), model="graduated", tiers=GRADUATED)
    before, rows = told_of(price), list(price.tiers.values_list("pk", flat=True))

    catalog.change_price(
        price=price, name=price.name, model="graduated", tiers=[tier(*row) for row in GRADUATED], actor=make.ACTOR
    )

    assert told_of(price) == before
    assert list(price.tiers.values_list("pk", flat=True)) == rows


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"model": "stairs"}, "model"),
        ({"model": "volume"}, "unit_price"),
        ({"model": "graduated", "unit_price": Decimal(0)}, "tiers"),
        ({"unit_price": Decimal("1E-13")}, "unit_price"),
        ({"tiers": [tier(None)]}, "tiers"),
    ],
)
def test_an_unsound_change_of_a_price_is_refused_and_nothing_changes(changes, field):
    price = created()
    terms, told = price.terms(), told_of(price)

    with pytest.raises((ValidationError, TermsError)) as refusal:
        catalog.change_price(price=price, **changes, actor=make.ACTOR)

    named = [refusal.value.field] if isinstance(refusal.value, TermsError) else list(refusal.value.message_dict)
    assert named == [field]
    assert (Price.objects.get(pk=price.pk).terms(), told_of(price)) == (terms, told)


@pytest.mark.parametrize(
    "tiers", [[tier("10")], [tier("10"), tier("10"), tier(None)], [tier(None, "-1")], [tier(None, "1E+15")]]
)
def test_unsound_tiers_are_refused_and_the_former_stay(tiers):
    price = make.price(make.brick(make.workspace()), model="graduated", tiers=GRADUATED)
    before = tiers_in(price)

    with pytest.raises((ValidationError, TermsError)):
        catalog.change_price(price=price, tiers=tiers, actor=make.ACTOR)

    assert tiers_in(price) == before


def test_an_incomplete_price_is_renamed_and_completed():
    brick = make.brick(make.workspace())
    price = Price.objects.create(workspace=brick.workspace, brick=brick, name="x", model="volume", currency="USD")

    assert catalog.change_price(price=price, name="y", actor=make.ACTOR).name == "y"
    with pytest.raises(TermsError):
        catalog.change_price(price=price, model="graduated", actor=make.ACTOR)
    catalog.change_price(price=price, tiers=[tier(None)], actor=make.ACTOR)

    assert tiers_in(price) == [(None, 1, 0)]


def test_a_brick_that_is_not_metered_keeps_a_flat_price():
    price = make.price(make.brick(make.workspace(), aggregation="none"), model="flat")

    with pytest.raises(ValidationError, match="is not metered: it requires a flat price"):
        catalog.change_price(price=price, model="per_unit", actor=make.ACTOR)


def test_a_brick_that_is_not_metered_gets_no_metered_price():
    brick = make.brick(make.workspace(), aggregation="none")

    with pytest.raises(ValidationError, match="is not metered: it requires a flat price") as refusal:
        catalog.create_price(
            brick=brick, name="List", model="per_unit", currency="USD", unit_price=Decimal(1), actor=make.ACTOR
        )

    assert list(refusal.value.message_dict) == ["model"]
    assert not Price.objects.exists()


def test_a_billed_price_is_fixed():
    line = make.line()
    make.use(line, "1", "2026-01-05")
    close(line.workspace, "2026-02-01")

    with pytest.raises(catalog.PriceIsFixed):
        catalog.change_price(price=line.price, name="List 2027", actor=make.ACTOR)

    assert Price.objects.get().name == line.price.name
