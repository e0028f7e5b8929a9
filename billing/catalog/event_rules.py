"""Set and check the event rules of bricks. A rule is never edited, only replaced by a new one."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from billing import history
from billing.actors import Actor
from billing.aggregations import OF_RULES
from billing.models import Brick, EventRule, objection_to_identifier
from billing.storage.caseless import fold
from billing.storage.jsontext import encode
from billing.storage.rows import is_among

MAX_NAME = 255


@dataclass(frozen=True)
class EventTerms:
    """The terms of an event rule: how the events that match every filter are aggregated to a quantity.

    ``filters``: property -> its matching values; for a property in ``negated``, the values that do not match.
    """

    event_type: str
    aggregation: str
    property: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    negated: Sequence[str] = ()
    is_case_sensitive: bool = True


@transaction.atomic
def set_event_rule(*, brick: Brick, rule: EventTerms, actor: Actor, as_of: datetime) -> EventRule:
    """Replace a brick's rule from now on; return the new rule, or the current one if nothing changes.

    Closed periods keep their rule. Raises ``ValidationError`` naming the field.
    """
    brick = locked_brick(brick)
    current = brick.event_rules.filter(replaced_at=None).first()
    check_rule(rule, former=terms_of(current) if current else None)
    if not brick.metering.takes_events:
        raise ValidationError({"aggregation": "This brick does not count events."})
    if current is not None and terms_of(current) == _as_kept(rule):
        return current
    brick.event_rules.filter(replaced_at=None).update(replaced_at=as_of)
    kept = _as_kept(rule)
    folded = None if kept.is_case_sensitive else folded_filters(kept.filters)
    row = EventRule(workspace_id=brick.workspace_id, brick=brick, folded_filters=folded, **asdict(kept))
    history.insert(row, actor=actor)
    return row


def locked_brick(brick: Brick) -> Brick:
    """Return the current row of a brick, locked until commit."""
    return Brick.objects.select_for_update(no_key=True).get(workspace_id=brick.workspace_id, pk=brick.pk)


def folded_filters(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return filters with case-folded values, for comparison with case-folded texts."""
    return {name: sorted(set(map(fold, values))) for name, values in filters.items()}


def terms_of(rule: EventRule) -> EventTerms:
    """Return the terms of a rule."""
    return EventTerms(
        event_type=rule.event_type,
        aggregation=rule.aggregation,
        property=rule.property,
        filters=rule.filters,
        negated=rule.negated,
        is_case_sensitive=rule.is_case_sensitive,
    )


def current_rules(*, workspace_id: int, brick_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, EventRule]:
    """Return the current rules of bricks of a workspace, as far as they have one; one query."""
    of_bricks = is_among("billing_eventrule.brick_id", list(set(brick_ids)))
    rules = EventRule.objects.filter(of_bricks, workspace_id=workspace_id, replaced_at=None)
    return {rule.brick_id: rule for rule in rules}


def _as_kept(rule: EventTerms) -> EventTerms:
    filters = {name: list(values) for name, values in rule.filters.items()}
    return replace(rule, aggregation=str(rule.aggregation), filters=filters, negated=sorted(set(rule.negated)))


def check_rule(rule: EventTerms, *, former: EventTerms | None = None) -> None:
    """Raise ``ValidationError`` naming each invalid field.

    Texts of the ``former`` rule may contain characters that are not allowed in new ones.
    """
    problems: dict[str, str] = {}
    if not 0 < len(rule.event_type) <= MAX_NAME:
        problems["event_type"] = f"An event type has 1 to {MAX_NAME} characters."
    if rule.aggregation not in OF_RULES:
        problems["aggregation"] = f"“{rule.aggregation}” is not an aggregation of events."
    elif OF_RULES[rule.aggregation].reads_property and not rule.property:
        problems["property"] = "This aggregation requires a property."
    if len(rule.property) > MAX_NAME:
        problems["property"] = f"A property's name has at most {MAX_NAME} characters."
    if too_many := objection_to_size(rule.filters):
        problems["filters"] = too_many
    elif len(encode(rule.filters)) > settings.EVENT_RULE_BYTES:
        problems["filters"] = f"The filters of a rule have at most {settings.EVENT_RULE_BYTES} bytes in all."
    elif not all(_is_filter(name, values) for name, values in rule.filters.items()):
        problems["filters"] = "A filter maps the name of a property to a list of at least one text."
    elif any(len(value) > MAX_NAME for values in rule.filters.values() for value in values):
        problems["filters"] = f"A filter's value has at most {MAX_NAME} characters."
    for name, text in _names_of(rule):
        is_former = former is not None and (name, text) in _names_of(former)
        if name not in problems and not is_former and (objection := objection_to_identifier(text)):
            problems[name] = objection
    if not set(rule.negated) <= rule.filters.keys():
        problems["negated"] = "Only properties with a filter can be negated."
    if problems:
        raise ValidationError(problems)


def objection_to_size(filters: Mapping[str, Sequence[str]]) -> str:
    """Return the objection to too many filters or values; an empty text if there is none.

    The limits are settings and apply to existing rules too: each filter is evaluated for each event.
    """
    most, most_values = settings.EVENT_RULE_FILTERS, settings.EVENT_RULE_VALUES
    if len(filters) > most:
        return f"A rule has at most {most} filters, not {len(filters)}."
    largest = max(map(len, filters.values()), default=0)
    return f"A filter has at most {most_values} values, not {largest}." if largest > most_values else ""


def _names_of(rule: EventTerms) -> list[tuple[str, str]]:
    """Return (field, text) for each text that events are compared with."""
    given = [("event_type", rule.event_type), ("property", rule.property)]
    texts = (text for name, values in rule.filters.items() for text in (name, *values))
    return [*given, *(("filters", text) for text in texts if isinstance(text, str))]


def _is_filter(name: str, values: Sequence[str]) -> bool:
    is_list = bool(values) and not isinstance(values, str)
    return 0 < len(name) <= MAX_NAME and is_list and all(isinstance(value, str) for value in values)
