from decimal import Decimal
from pathlib import Path

import pytest

from billing.models import Price
from billing.rating import (
    MODELS,
    Asked,
    Budget,
    Coverage,
    PricingModel,
    Step,
    Terms,
    TermsError,
    Tier,
    choices,
    find_model,
    help_on,
    model_named,
    names_of_models,
    rate,
    table,
)
from billing.rating.pieces import Piece

pytestmark = pytest.mark.once

FOLDER = Path(table.__file__).parent / "pricing"


class Doubled(PricingModel):
    name = "doubled"
    label = "Doubled"
    summary = "twice the price"
    asks = (Asked("unit_price", "half of what is charged"),)
    is_metered = False
    is_prorated = True

    def steps(self, terms, quantity):
        return [Step("flat", "twice", None, terms.unit_price, terms.unit_price * 2)]

    def pieces(self, terms):
        return [Piece(Decimal(0), None, terms.unit_price * 2, Decimal(0))]


@pytest.fixture
def doubled(monkeypatch):
    model = Doubled()
    monkeypatch.setattr(table, "MODELS", (*MODELS, model))
    return model


def test_the_table_has_the_model_of_each_file():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}

    assert {type(model).__module__.rpartition(".")[2] for model in MODELS} == files
    assert len(MODELS) == len(files)
    assert {model.name for model in MODELS} == files


def test_forms_and_columns_offer_the_models_of_the_table():
    assert choices() == [
        ("flat", "Flat: the price, whatever the quantity"),
        ("per_unit", "Per unit"),
        ("graduated", "Graduated: each tier's units at its price"),
        ("volume", "Volume: all units at the price of the tier reached"),
    ]
    assert Price._meta.get_field("model").choices == choices()


def test_each_model_asks_for_a_unit_price_or_for_tiers():
    assert names_of_models(asking_for="unit_price") == ["flat", "per_unit"]
    assert names_of_models(asking_for="tiers") == [model.name for model in MODELS if model.is_tiered]
    assert names_of_models() == ["flat", "per_unit", "graduated", "volume"]
    assert help_on("unit_price") == "Flat: the price of a period. Per unit: the price of one unit."


@pytest.mark.parametrize("name", ["stepwise", "", None, 1])
def test_a_name_that_is_not_in_the_table_is_refused(name):
    assert find_model(name) is None
    with pytest.raises(TermsError) as caught:
        model_named(name)
    assert caught.value.field == "model"
    assert caught.value.problem == f"{name!r} is not a pricing model."


def test_a_further_model_needs_its_class_and_a_line_in_the_table(doubled):
    terms = Terms(model=doubled, currency="USD", unit_price=Decimal(5))
    half = Coverage(15, 30)

    assert choices()[-1] == ("doubled", "Doubled: twice the price")
    assert help_on("unit_price").endswith("Doubled: half of what is charged.")
    assert rate(terms=terms, quantity=Decimal(3)).amount == Decimal("10.00")
    assert rate(terms=terms, quantity=Decimal(3), coverage=half).amount == Decimal("5.00")
    assert Budget(terms=terms, amount=Decimal(5), coverage=half).affords(Decimal(3))
    assert not Budget(terms=terms, amount=Decimal(5)).affords(Decimal(3))


def test_a_further_model_is_checked_by_what_it_asks_for(doubled):
    with pytest.raises(TermsError, match="a doubled price has no tiers"):
        Terms(model=doubled, currency="USD", tiers=(Tier(None, Decimal(1)),))


def test_the_readme_says_what_each_model_costs():
    readme = (FOLDER.parent.parent / "README.md").read_text()

    assert [model.name for model in MODELS if f"| `{model.name}` |" not in readme] == []
