from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing import contracts
from billing.contracts import NO_LIMITS, Limits, LimitsRefused, reached
from billing.models import Line
from tests import factories as make

pytestmark = pytest.mark.django_db

NAMES = ("soft_limit_quantity", "soft_limit_amount", "hard_limit_quantity", "hard_limit_amount")


def limits_of(line):
    return Line.objects.values_list(*NAMES).get(pk=line.pk)


def test_a_line_gets_these_limits_and_no_others():
    line = make.line()

    contracts.set_limits(
        line=line, limits=Limits(soft_limit_amount=Decimal("80.50"), hard_limit_quantity=Decimal(50)), actor=make.ACTOR
    )
    assert limits_of(line) == (None, Decimal("80.50"), Decimal(50), None)
    contracts.set_limits(line=line, limits=Limits(hard_limit_amount=Decimal(100)), actor=make.ACTOR)
    assert limits_of(line) == (None, None, None, Decimal(100))
    contracts.set_limits(line=line, limits=NO_LIMITS, actor=make.ACTOR)
    assert limits_of(line) == (None, None, None, None)


def test_a_line_can_begin_with_limits():
    brick = make.brick(make.workspace())
    subscription = make.subscription(make.customer(brick.workspace))

    line = contracts.add_line(
        subscription=subscription,
        brick=brick,
        price=make.price(brick),
        limits=Limits(hard_limit_quantity=Decimal("0.5")),
        actor=make.ACTOR,
    )

    assert limits_of(line) == (None, None, Decimal("0.5"), None)


@pytest.mark.parametrize(
    ("limits", "problems"),
    [
        ({"hard_limit_quantity": "0"}, {"hard_limit_quantity": ["Must be above zero."]}),
        ({"soft_limit_amount": "-1"}, {"soft_limit_amount": ["Must be above zero."]}),
        (
            {"soft_limit_quantity": "1", "soft_limit_amount": "1", "hard_limit_amount": "2"},
            {"soft_limit_amount": ["Give either a quantity or an amount, not both."]},
        ),
        (
            {"hard_limit_amount": "0.00001"},
            {"hard_limit_amount": ["Ensure that there are no more than 4 decimal places."]},
        ),
        (
            {"hard_limit_quantity": "0.0000000001"},
            {"hard_limit_quantity": ["Ensure that there are no more than 9 decimal places."]},
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_name(limits, problems):
    line = make.line()

    with pytest.raises(ValidationError) as refused:
        contracts.set_limits(
            line=line, limits=Limits(**{name: Decimal(value) for name, value in limits.items()}), actor=make.ACTOR
        )

    assert refused.value.message_dict == problems
    assert limits_of(line) == (None, None, None, None)


@pytest.mark.parametrize(("aggregation", "model"), [("unit_days", "per_unit"), ("none", "flat")])
def test_only_a_counter_has_limits(aggregation, model):
    line = make.line(aggregation=aggregation, model=model)

    with pytest.raises(LimitsRefused, match="Only a counter can have limits."):
        contracts.set_limits(line=line, limits=Limits(soft_limit_quantity=Decimal(1)), actor=make.ACTOR)
    contracts.set_limits(line=line, limits=NO_LIMITS, actor=make.ACTOR)


@pytest.mark.parametrize(
    ("quantity", "amount", "expected"),
    [("9.999", "19.998", ""), ("10", "20", "soft"), ("14.999", "29.998", "soft"), ("15", "30", "hard")],
)
def test_a_limit_is_reached_by_what_equals_it(quantity, amount, expected):
    line = Line(soft_limit_quantity=Decimal(10), hard_limit_amount=Decimal(30))

    assert reached(line=line, quantity=Decimal(quantity), amount=Decimal(amount)) == expected
