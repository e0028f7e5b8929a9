"""The table of pricing models, used by forms, APIs, columns and rating."""

from billing.rating.pricing import flat, graduated, per_unit, volume
from billing.rating.refusals import TermsError
from billing.rating.terms import PricingModel, Term

# In the order in which they are offered.
MODELS: tuple[PricingModel, ...] = (
    flat.FLAT,
    per_unit.PER_UNIT,
    graduated.GRADUATED,
    volume.VOLUME,
)


def find_model(name: object) -> PricingModel | None:
    """Return the pricing model of this name, None if there is none."""
    return next((model for model in MODELS if model.name == name), None)


def model_named(name: object) -> PricingModel:
    """Return the pricing model of this name; raise ``TermsError`` naming ``model`` if there is none."""
    if (model := find_model(name)) is None:
        raise TermsError("model", f"{name!r} is not a pricing model.")
    return model


def names_of_models(*, asking_for: Term | None = None) -> list[str]:
    """Return the names of all pricing models, or of those that use a term."""
    return [model.name for model in MODELS if asking_for is None or model.asks_for(asking_for)]


def choices() -> list[tuple[str, str]]:
    """Return the choices of a form or column: each model's name and label, such as "Flat: the price, ..."."""
    return [(model.name, f"{model.label}: {model.summary}" if model.summary else model.label) for model in MODELS]


def help_on(field: Term) -> str:
    """Return the meaning of a term by model: "Flat: the price of a period. Per unit: the price of one unit."."""
    return " ".join(f"{model.label}: {asked.help}." for model in MODELS for asked in model.asks if asked.field == field)
