"""What is sold: bricks with the rules of those that count events, and prices.

A rule is followed by the next, never edited; a price is complete when used, fixed once billed, copied to be changed.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing import history, names
from billing.aggregations import OF_BRICKS, OF_RULES
from billing.models import Brick, EventRule, Name, Price, PriceTier, Workspace
from billing.models.texts import objection_to_identifier
from billing.money import format_decimal
from billing.rating import Terms, Tier, in_order, model_named
from billing.storage.caseless import fold
from billing.storage.jsontext import encode
from billing.storage.rows import is_among

MAX_NAME = 255
NO_RULE = {"event_type": "A brick that counts events needs a rule that says which."}


@dataclass(frozen=True)
class EventTerms:
    """How events become a quantity: what is counted or added, of the events that match every filter.

    ``filters``: property -> the values that count; of a property in ``negated``, the values that do not.
    """

    event_type: str
    aggregation: str
    property: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    negated: Sequence[str] = ()
    is_case_sensitive: bool = True


@transaction.atomic
def create_brick(
    *,
    workspace: Workspace,
    name: str,
    aggregation: str,
    unit_label: str = "units",
    description: str = "",
    reference: str | None = None,
    id: uuid.UUID | None = None,  # noqa: A002  (the field's own name)
    rule: EventTerms | None = None,
    as_of: datetime,
) -> Brick:
    """Add a thing to sell, with its rule where it counts events; raise ``ValidationError`` naming the field.

    ``id`` and ``reference`` take over what clients of another system already hold.
    """
    brick = Brick(
        id=id or uuid.uuid4(),
        workspace=workspace,
        name=name,
        aggregation=aggregation,
        unit_label=unit_label,
        description=description,
        reference=reference or None,
    )
    brick.full_clean(validate_constraints=False)
    if brick.reference and Brick.objects.filter(workspace=workspace, reference=brick.reference).exists():
        raise ValidationError({"reference": ValidationError("A brick has this reference already.", code="unique")})
    if brick.metering.takes_events and rule is None:
        raise ValidationError(NO_RULE)
    brick.save(force_insert=True)
    _give_names(brick, {str(brick.pk): "id"} | ({brick.reference: "reference"} if brick.reference else {}))
    if rule is not None:
        set_event_rule(brick=brick, rule=rule, as_of=as_of)
    return brick


@transaction.atomic
def set_event_rule(*, brick: Brick, rule: EventTerms, as_of: datetime) -> EventRule:
    """Let a brick count events by a rule from now on; return it, or the current one where nothing changes.

    Periods that are closed stay as they were counted. Raises ``ValidationError`` naming the field.
    """
    brick = _locked(brick)
    current = brick.event_rules.filter(replaced_at=None).first()
    check_rule(rule, former=terms_of(current) if current else None)
    if not brick.metering.takes_events:
        raise ValidationError({"aggregation": "This brick does not count events."})
    if current is not None and terms_of(current) == _as_kept(rule):
        return current
    brick.event_rules.filter(replaced_at=None).update(replaced_at=as_of)
    kept = _as_kept(rule)
    folded = None if kept.is_case_sensitive else folded_filters(kept.filters)
    return EventRule.objects.create(workspace_id=brick.workspace_id, brick=brick, folded_filters=folded, **asdict(kept))


def _locked(brick: Brick) -> Brick:
    return Brick.objects.select_for_update(no_key=True).get(workspace_id=brick.workspace_id, pk=brick.pk)


def folded_filters(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return filters whose values are compared to folded texts."""
    return {name: sorted(set(map(fold, values))) for name, values in filters.items()}


def terms_of(rule: EventRule) -> EventTerms:
    """Return a rule as it was asked for."""
    return EventTerms(
        event_type=rule.event_type,
        aggregation=rule.aggregation,
        property=rule.property,
        filters=rule.filters,
        negated=rule.negated,
        is_case_sensitive=rule.is_case_sensitive,
    )


def current_rules(*, workspace_id: int, brick_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, EventRule]:
    """Return the rule that each brick of a workspace counts events by now; one query."""
    of_bricks = is_among("billing_eventrule.brick_id", list(set(brick_ids)))
    rules = EventRule.objects.filter(of_bricks, workspace_id=workspace_id, replaced_at=None)
    return {rule.brick_id: rule for rule in rules}


def _as_kept(rule: EventTerms) -> EventTerms:
    filters = {name: list(values) for name, values in rule.filters.items()}
    return replace(rule, aggregation=str(rule.aggregation), filters=filters, negated=sorted(set(rule.negated)))


def check_rule(rule: EventTerms, *, former: EventTerms | None = None) -> None:
    """Raise ``ValidationError`` naming each field by which events could not be counted.

    Names that the ``former`` rule has already may hold what no new one may.
    """
    problems: dict[str, str] = {}
    if not 0 < len(rule.event_type) <= MAX_NAME:
        problems["event_type"] = f"An event type has 1 to {MAX_NAME} characters."
    if rule.aggregation not in OF_RULES:
        problems["aggregation"] = f"“{rule.aggregation}” is no way to count events."
    elif OF_RULES[rule.aggregation].reads_property and not rule.property:
        problems["property"] = "What is added or told apart must be named."
    if len(rule.property) > MAX_NAME:
        problems["property"] = f"A property's name has at most {MAX_NAME} characters."
    if too_many := objection_to_size(rule.filters):
        problems["filters"] = too_many
    elif len(encode(rule.filters)) > settings.EVENT_RULE_BYTES:
        problems["filters"] = f"The filters of a rule have at most {settings.EVENT_RULE_BYTES} bytes in all."
    elif not all(_is_filter(name, values) for name, values in rule.filters.items()):
        problems["filters"] = "Each filter is the name of a property and a list of at least one text."
    elif any(len(value) > MAX_NAME for values in rule.filters.values() for value in values):
        problems["filters"] = f"A filter's value has at most {MAX_NAME} characters."
    for name, text in _names_of(rule):
        is_former = former is not None and (name, text) in _names_of(former)
        if name not in problems and not is_former and (told := objection_to_identifier(text)):
            problems[name] = told
    if not set(rule.negated) <= rule.filters.keys():
        problems["negated"] = "Only a property that is filtered by can be negated."
    if problems:
        raise ValidationError(problems)


def objection_to_size(filters: Mapping[str, Sequence[str]]) -> str:
    """Say why so many filters are not counted by; nothing where they are few enough.

    The bounds are settings, and hold for rules that are there as well: each filter is looked at for each event.
    """
    most, most_values = settings.EVENT_RULE_FILTERS, settings.EVENT_RULE_VALUES
    if len(filters) > most:
        return f"A rule has at most {most} filters, not {len(filters)}."
    largest = max(map(len, filters.values()), default=0)
    return f"A filter has at most {most_values} values, not {largest}." if largest > most_values else ""


def _names_of(rule: EventTerms) -> list[tuple[str, str]]:
    """Return the texts that events are compared with, each with the field that it stands in."""
    given = [("event_type", rule.event_type), ("property", rule.property)]
    texts = (text for name, values in rule.filters.items() for text in (name, *values))
    return [*given, *(("filters", text) for text in texts if isinstance(text, str))]


def _is_filter(name: str, values: Sequence[str]) -> bool:
    is_list = bool(values) and not isinstance(values, str)
    return 0 < len(name) <= MAX_NAME and is_list and all(isinstance(value, str) for value in values)


@transaction.atomic
def update_brick(
    *,
    brick: Brick,
    name: str | None = None,
    unit_label: str | None = None,
    description: str | None = None,
    reference: str | None = None,
    aggregation: str | None = None,
    rule: EventTerms | None = None,
    as_of: datetime,
) -> Brick:
    """Change what is given, where an empty reference is none; raise ``ValidationError`` naming the field.

    Documents that were issued keep the former name. A rule is followed by the next, as ``set_event_rule`` says. The
    aggregation is fixed once a subscription has a line of the brick.
    """
    brick = _locked(brick)
    if aggregation is not None and aggregation != brick.aggregation:
        _change_aggregation(brick, aggregation, has_rule=rule is not None, as_of=as_of)
    former = brick.reference
    changes = {"name": name, "unit_label": unit_label, "description": description, "reference": reference}
    as_before = {field for field, value in changes.items() if value is None or value == getattr(brick, field)}
    for field_name, value in changes.items():
        if value is not None:
            setattr(brick, field_name, value)
    brick.reference = brick.reference or None
    _save_brick(brick, as_before, update_fields=[*changes, "aggregation"])
    if brick.reference != former:
        _rename(brick, former)
    if rule is not None:
        set_event_rule(brick=brick, rule=rule, as_of=as_of)
    return brick


def _change_aggregation(brick: Brick, aggregation: str, *, has_rule: bool, as_of: datetime) -> None:
    if brick.lines.exists():
        raise ValidationError({"aggregation": "Subscriptions have lines of this brick: its aggregation is fixed."})
    if aggregation in OF_BRICKS and OF_BRICKS[aggregation].takes_events and not has_rule:
        raise ValidationError(NO_RULE)
    brick.event_rules.filter(replaced_at=None).update(replaced_at=as_of)
    brick.aggregation = aggregation


def _save_brick(brick: Brick, as_before: Collection[str], **options: Any) -> None:
    brick.full_clean(exclude=as_before, validate_constraints=False)
    try:
        with transaction.atomic():
            brick.save(**options)
    except IntegrityError as error:
        taken = "id" if brick.reference is None else "reference"
        told = ValidationError(f"A brick has this {taken} already.", code="unique")
        raise ValidationError({taken: told}) from error


def _give_names(brick: Brick, fields: dict[str, str]) -> None:
    names.give(workspace_id=brick.workspace_id, kind=Name.Kind.BRICK, owner=str(brick.pk), names=fields)


def _rename(brick: Brick, former: str | None) -> None:
    of_brick: dict[str, Any] = {"workspace_id": brick.workspace_id, "kind": Name.Kind.BRICK, "owner": str(brick.pk)}
    names.take_back(**of_brick, names=[former] if former else [], kept=[str(brick.pk)])
    if brick.reference:
        _give_names(brick, {brick.reference: "reference"})


@transaction.atomic
def archive_brick(*, brick: Brick, as_of: datetime) -> Brick:
    """Sell a brick no longer: no further line of it can be added, and those that there are go on."""
    sold = Brick.objects.filter(workspace_id=brick.workspace_id, pk=brick.pk, archived_at=None)
    if sold.update(archived_at=as_of):
        history.note(brick, "archived")
    brick.refresh_from_db(fields=["archived_at"])
    return brick


@dataclass(frozen=True)
class PriceTerms:
    """A price to be made of a brick."""

    name: str
    model: str
    currency: str
    unit_price: Decimal = Decimal(0)
    tiers: Sequence[Tier] = ()


@transaction.atomic
def create_price(
    *, brick: Brick, name: str, model: str, currency: str, unit_price: Decimal = Decimal(0), tiers: Sequence[Tier] = ()
) -> Price:
    """Make a price with its tiers; raise ``ValidationError`` or ``TermsError`` naming what is wrong with it.

    Prices are exact decimals in units of the currency (not minor units), up to 12 places.
    """
    price = Price(
        workspace_id=brick.workspace_id,
        brick=brick,
        name=name,
        model=model,
        currency=currency,
        unit_price=unit_price,
    )
    price.full_clean()
    refuse_too_many_tiers(len(tiers))
    rows = _tier_rows(price, tiers)
    for row in rows:
        row.clean_fields(exclude=["workspace", "price"])
        if min(row.unit_price, row.fee) < 0:
            raise ValidationError({"tiers": "A tier's price and fee can't be negative."})
    Terms(model=model_named(model), currency=currency, unit_price=unit_price, tiers=tuple(in_order(tiers)))
    price.save()
    PriceTier.objects.bulk_create(rows)
    note_tiers(price, [], rows)
    return price


def refuse_too_many_tiers(count: int) -> None:
    """Raise ``ValidationError`` naming ``tiers`` where a price would have more than ``TIERS_PER_PRICE``."""
    if count > settings.TIERS_PER_PRICE:
        raise ValidationError({"tiers": f"A price has at most {settings.TIERS_PER_PRICE} tiers; these are {count}."})


def is_billed(price: Price) -> bool:
    """Tell whether a line that was billed uses the price, drafts included: then it can't be edited any more."""
    return price.invoice_lines.exists()


@transaction.atomic
def copy_price(*, price: Price, name: str) -> Price:
    """Copy a price, to be edited: the way to change one that was billed.

    Raises ``ValidationError`` naming ``name`` where that is none.
    """
    copy = Price(
        workspace_id=price.workspace_id,
        brick_id=price.brick_id,
        name=name,
        model=price.model,
        currency=price.currency,
        unit_price=price.unit_price,
    )
    # The name alone is new: a price from before a rule of today can still be copied.
    copy.clean_fields(exclude=[field.name for field in Price._meta.fields if field.name != "name"])
    copy.save()
    note_tiers(copy, [], PriceTier.objects.bulk_create(_tier_rows(copy, price.terms().tiers)))
    return copy


def note_tiers(price: Price, before: Iterable[PriceTier], after: Iterable[PriceTier]) -> None:
    """Keep in the price's history what became of its tiers, which are written in bulk."""
    was, now = _told(before), _told(after)
    if was != now:
        history.note(price, "changed" if was else "added", {"tiers": (was, now)})


def _told(tiers: Iterable[PriceTier]) -> list[str]:
    texts = ((tier.up_to, tier.unit_price, tier.fee) for tier in in_order(tiers))
    return [
        f"up to {'any' if up_to is None else format_decimal(up_to)}: {format_decimal(price)}, fee {format_decimal(fee)}"
        for up_to, price, fee in texts
    ]


def _tier_rows(price: Price, tiers: Sequence[Tier]) -> list[PriceTier]:
    return [
        PriceTier(
            workspace_id=price.workspace_id,
            price=price,
            up_to=tier.up_to,
            unit_price=tier.unit_price,
            fee=tier.fee,
        )
        for tier in tiers
    ]
