import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, contracts, invoicing
from billing.catalog import EventTerms
from billing.models import Brick, EventRule
from tests import factories as make

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY = make.moment("2026-01-01"), make.moment("2026-02-01")


def created(workspace=None, **changes: Any) -> Brick:
    rule = EventTerms("message-sent", "count")
    given: dict[str, Any] = {"name": "Messages", "aggregation": "events", "rule": rule, "as_of": JANUARY}
    return catalog.create_brick(workspace=workspace or make.workspace(), **(given | changes), actor=make.ACTOR)


def test_brick_is_created_with_its_rule():
    terms = EventTerms(
        event_type="message-sent",
        aggregation="sum",
        property="length",
        filters={"type": ["text", "fax"], "to": ["x"]},
        negated=("type",),
        is_case_sensitive=False,
    )

    brick = created(unit_label="characters", description="All of them.", reference="M-1", rule=terms)

    rule = Brick.objects.get().event_rules.get()
    assert (brick.unit_label, brick.description, brick.reference) == ("characters", "All of them.", "M-1")
    assert (rule.workspace, rule.replaced_at) == (brick.workspace, None)
    assert (rule.event_type, rule.aggregation, rule.property) == ("message-sent", "sum", "length")
    assert (rule.filters, rule.negated) == ({"type": ["text", "fax"], "to": ["x"]}, ["type"])
    assert not rule.is_case_sensitive
    assert str(rule) == "Total of a property of message-sent"


def test_rule_is_followed_by_the_next_and_never_edited():
    brick = created()
    first = EventRule.objects.get()

    second = catalog.set_event_rule(
        brick=brick, rule=EventTerms("call", "unique", "user"), as_of=FEBRUARY, actor=make.ACTOR
    )

    first.refresh_from_db()
    assert (first.event_type, first.replaced_at) == ("message-sent", FEBRUARY)
    assert (second.event_type, second.replaced_at) == ("call", None)
    assert catalog.current_rules(workspace_id=brick.workspace_id, brick_ids=[brick.pk]) == {brick.pk: second}


def test_rule_that_changes_nothing_stays():
    terms = EventTerms("call", "sum", "length", {"type": ("a", "b")}, ("type",))
    brick = created(rule=terms)

    assert catalog.set_event_rule(brick=brick, rule=terms, as_of=FEBRUARY, actor=make.ACTOR) == EventRule.objects.get()


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (EventTerms("", "count"), "event_type"),
        (EventTerms("x" * 256, "count"), "event_type"),
        (EventTerms("call", "average"), "aggregation"),
        (EventTerms("call", "sum"), "property"),
        (EventTerms("call", "unique"), "property"),
        (EventTerms("call", "count", "x" * 256), "property"),
        (EventTerms("call", "count", filters={"type": []}), "filters"),
        (EventTerms("call", "count", filters={"type": "text"}), "filters"),
        (EventTerms("call", "count", filters={"type": ["text", 5]}), "filters"),  # type: ignore[list-item]
        (EventTerms("call", "count", filters={"": ["text"]}), "filters"),
        (EventTerms("call", "count", filters={"x" * 256: ["text"]}), "filters"),
        (EventTerms("call", "count", filters={"type": ["x" * 256]}), "filters"),
        (EventTerms("call", "count", filters={f"p{n}": ["x"] for n in range(21)}), "filters"),
        (EventTerms("call", "count", filters={"type": [f"v{n}" for n in range(101)]}), "filters"),
        (EventTerms("call", "count", negated=("type",)), "negated"),
        (EventTerms("call", "count", filters={"type": ["text"]}, negated=("kind",)), "negated"),
    ],
)
def test_rule_that_says_too_little_is_refused_on_its_field(terms, field):
    with pytest.raises(ValidationError) as refusal:
        created(rule=terms)

    assert list(refusal.value.message_dict) == [field]
    assert not EventRule.objects.exists()


def test_brick_that_counts_events_needs_a_rule_and_no_other_has_one():
    owner = make.workspace()

    with pytest.raises(ValidationError) as refusal:
        created(workspace=owner, rule=None)
    assert list(refusal.value.message_dict) == ["event_type"]
    with pytest.raises(ValidationError) as refusal:
        created(workspace=owner, aggregation="sum")
    assert list(refusal.value.message_dict) == ["aggregation"]
    assert not EventRule.objects.exists()
    assert not Brick.objects.exists()


def test_brick_without_a_rule_is_added_to_no_subscription():
    owner = make.workspace()
    brick = make.brick(owner, aggregation="events")

    with pytest.raises(contracts.UnableToAgree) as refusal:
        make.counting_line(make.customer(owner), brick)

    assert list(refusal.value.message_dict) == ["brick"]


@pytest.mark.bound("EVENT_RULE_FILTERS", "EVENT_RULE_VALUES")
def test_rule_of_as_many_filters_and_values_as_there_may_be_is_taken():
    filters = {f"p{n}": [f"v{m}" for m in range(100)] for n in range(20)}

    brick = created(rule=EventTerms("call", "count", filters=filters))

    assert brick.event_rules.get().filters == filters


@pytest.mark.bound("EVENT_RULE_FILTERS", "EVENT_RULE_VALUES")
def test_bounds_of_a_rule_are_settings(settings):
    settings.EVENT_RULE_FILTERS, settings.EVENT_RULE_VALUES = 1, 2

    for filters in ({"a": ["x"], "b": ["x"]}, {"a": ["x", "y", "z"]}):
        with pytest.raises(ValidationError):
            created(rule=EventTerms("call", "count", filters=filters))


def test_rules_of_more_bricks_and_lines_than_a_statement_has_parameters_are_found():
    brick = created()
    others = [uuid.uuid4() for _ in range(70_000)]

    of_one = {"workspace_id": brick.workspace_id}
    assert catalog.current_rules(**of_one, brick_ids=[*others, brick.pk]) == {brick.pk: brick.event_rules.get()}
    assert invoicing.billed_rules(**of_one, line_ids=range(1, 70_000)) == {}


@pytest.mark.bound("EVENT_RULE_BYTES")
def test_the_filters_of_a_rule_are_bounded_in_bytes(settings):
    # {"plan":["éé"]}: 13 characters around two letters of two bytes each.
    settings.EVENT_RULE_BYTES = 17

    brick = created(rule=EventTerms("call", "count", filters={"plan": ["éé"]}))
    with pytest.raises(ValidationError) as refusal:
        catalog.set_event_rule(
            brick=brick, rule=EventTerms("call", "count", filters={"plan": ["ééx"]}), as_of=JANUARY, actor=make.ACTOR
        )

    assert refusal.value.message_dict == {"filters": ["The filters of a rule have at most 17 bytes in all."]}
