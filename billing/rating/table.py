"""The table of pricing models: forms, APIs, columns and rating read their models here."""

from billing.rating.pricing import flat, graduated, per_unit, volume
from billing.rating.refusals import TermsError
from billing.rating.terms import PricingModel, Term

# In the order in which people are offered them.
MODELS: tuple[PricingModel, ...] = (
    flat.FLAT,
    per_unit.PER_UNIT,
    graduated.GRADUATED,
    volume.VOLUME,
)


def find_model(name: object) -> PricingModel | None:
    """Return the pricing model of this name, None where there is none."""
    return next((model for model in MODELS if model.name == name), None)


def model_named(name: object) -> PricingModel:
    """Return the pricing model of this name; raise ``TermsError`` naming ``model`` where there is none."""
    if (model := find_model(name)) is None:
        raise TermsError("model", f"{name!r} is no pricing model.")
    return model


def names_of_models(*, asking_for: Term | None = None) -> list[str]:
    """Return the names of all pricing models, or of those that ask for a term."""
    return [model.name for model in MODELS if asking_for is None or model.asks_for(asking_for)]


def choices() -> list[tuple[str, str]]:
    """Return the choices of a form or column: each model's name, and what people read: "Flat: the price, ..."."""
    return [(model.name, f"{model.label}: {model.summary}" if model.summary else model.label) for model in MODELS]


def help_on(field: Term) -> str:
    """Return what a term is, model by model: "Flat: the price of a period. Per unit: the price of one unit."."""
    return " ".join(f"{model.label}: {asked.help}." for model in MODELS for asked in model.asks if asked.field == field)
