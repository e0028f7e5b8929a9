"""Bricks: added, changed and archived, with the names that clients know them by."""

import uuid
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, contracts
from billing.catalog import EventTerms
from billing.models import Brick, Name
from tests import factories as make
from tests.billing.catalog.test_event_rules import created

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY = make.moment("2026-01-01"), make.moment("2026-02-01")
COUNTING = EventTerms("message-sent", "count")


def names_of(brick: Brick) -> set[str]:
    return set(Name.objects.filter(kind=Name.Kind.BRICK, owner=str(brick.pk)).values_list("text", flat=True))


def changed(brick: Brick, **changes: Any) -> Brick:
    return catalog.update_brick(brick=brick, as_of=FEBRUARY, **changes, actor=make.ACTOR)


def test_a_brick_is_named_by_its_id_and_its_reference():
    owner, given = make.workspace(), uuid.uuid4()

    with_reference = make.brick(owner, "Calls", id=given, reference="B-1")
    without = make.brick(owner, "Seats", reference="")

    assert names_of(with_reference) == {str(given), "B-1"}
    assert (names_of(without), without.reference) == ({str(without.pk)}, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"aggregation": "median"}, "aggregation"),
        ({"unit_label": ""}, "unit_label"),
        ({"reference": "x" * 500}, "reference"),
    ],
)
def test_what_is_wrong_with_a_brick_is_told_by_its_field(change, field):
    given: dict[str, Any] = {"name": "Calls", "aggregation": "sum"} | change

    with pytest.raises(ValidationError) as refusal:
        catalog.create_brick(workspace=make.workspace(), as_of=JANUARY, **given, actor=make.ACTOR)

    assert list(refusal.value.message_dict) == [field]
    assert not Brick.objects.exists()


def test_what_is_given_of_a_brick_is_changed_and_the_rest_stays():
    brick = make.brick(make.workspace(), "Calls", unit_label="calls", description="All.", reference="B-1")

    changed(brick, name="Phone calls", description="")

    brick.refresh_from_db()
    assert (brick.name, brick.unit_label, brick.description) == ("Phone calls", "calls", "")
    assert (brick.reference, brick.aggregation) == ("B-1", "sum")


def test_a_reference_that_is_changed_is_free_for_others():
    owner = make.workspace()
    brick, other = make.brick(owner, "Calls", reference="B-1"), make.brick(owner, "Seats")

    changed(brick, reference="B-2")
    changed(other, reference="B-1")

    assert names_of(brick) == {str(brick.pk), "B-2"}
    assert names_of(other) == {str(other.pk), "B-1"}

    changed(brick, reference="")
    assert names_of(brick) == {str(brick.pk)}
    assert Brick.objects.get(pk=brick.pk).reference is None


def test_a_reference_of_another_brick_is_refused_and_nothing_changes():
    owner = make.workspace()
    brick = make.brick(owner, "Calls", reference="B-1")
    make.brick(owner, "Seats", reference="B-2")

    with pytest.raises(ValidationError) as refusal:
        changed(brick, name="Renamed", reference="B-2")

    assert refusal.value.message_dict == {"reference": ["A brick with this reference already exists."]}
    brick.refresh_from_db()
    assert (brick.name, brick.reference) == ("Calls", "B-1")


def test_an_aggregation_changes_until_a_subscription_has_a_line_of_the_brick():
    brick = make.brick(make.workspace(), "Calls")

    assert changed(brick, aggregation="unit_days").aggregation == "unit_days"
    assert changed(brick, aggregation="events", rule=COUNTING).event_rules.get().replaced_at is None

    contracts.add_line(
        subscription=make.subscription(make.customer(brick.workspace)),
        brick=brick,
        price=make.price(brick),
        actor=make.ACTOR,
    )
    with pytest.raises(ValidationError) as refusal:
        changed(brick, aggregation="sum")

    told = "The aggregation is fixed: subscriptions have lines of this brick."
    assert refusal.value.message_dict == {"aggregation": [told]}
    assert changed(brick, aggregation="events", name="Renamed").name == "Renamed"


def test_a_brick_that_is_to_count_events_needs_a_rule():
    brick = make.brick(make.workspace(), "Calls")

    with pytest.raises(ValidationError) as refusal:
        changed(brick, aggregation="events")

    assert list(refusal.value.message_dict) == ["event_type"]
    assert Brick.objects.get().aggregation == "sum"


def test_a_rule_ends_with_the_aggregation_that_it_belongs_to():
    brick = make.event_brick(make.workspace())

    changed(brick, aggregation="sum")

    assert brick.event_rules.get().replaced_at == FEBRUARY


def test_brick_of_an_id_or_reference_that_is_taken_is_refused():
    brick = created(reference="M-1")

    for taken in ("id", "reference"):
        with pytest.raises(ValidationError) as refusal:
            created(workspace=brick.workspace, **{taken: getattr(brick, taken)})
        assert list(refusal.value.message_dict) == [taken]
    assert Brick.objects.count() == 1


def test_archived_brick_is_added_to_no_subscription():
    brick = created()
    line = make.counting_line(make.customer(brick.workspace), brick)

    archived = catalog.archive_brick(brick=brick, as_of=JANUARY, actor=make.ACTOR)
    again = catalog.archive_brick(brick=brick, as_of=FEBRUARY, actor=make.ACTOR)

    assert (archived.archived_at, again.archived_at) == (JANUARY, JANUARY)
    with pytest.raises(contracts.UnableToAgree) as refusal:
        make.counting_line(line.subscription.customer, Brick.objects.get())
    assert list(refusal.value.message_dict) == ["brick"]
