import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.models import Line
from tests import factories as make
from tests.billing.contracts.agreed import fields_of, line_of

pytestmark = pytest.mark.django_db

at = make.moment


def test_lines_are_numbered_by_their_workspace(subscription):
    elsewhere = make.subscription(make.customer(make.workspace("other")))

    lines = [line_of(of) for of in (subscription, elsewhere, subscription, elsewhere)]

    assert [line.number for line in lines] == [1, 1, 2, 2]
    assert str(lines[3]) == "Line 2"


def test_given_number_leaves_the_next_as_it_is_and_is_skipped(subscription):
    given = [line_of(subscription, number=number).number for number in (2**53 - 1, 3, 4, 2)]
    drawn = [line_of(subscription).number for _ in range(3)]

    assert (given, drawn) == ([2**53 - 1, 3, 4, 2], [1, 5, 6])


def test_given_number_concerns_no_other_workspace(subscription):
    elsewhere = make.subscription(make.customer(make.workspace("other")))
    line_of(subscription, number=9007199254740991)
    line_of(subscription, number=4711)

    assert [line_of(elsewhere, number=4711).number, line_of(elsewhere).number] == [4711, 1]


def test_number_that_a_line_has_is_refused(subscription):
    line = line_of(subscription)

    with pytest.raises(ValidationError) as refusal:
        line_of(subscription, number=line.number)

    assert fields_of(refusal) == ["number"]
    assert [error.code for error in refusal.value.error_dict["number"]] == ["unique"]
    assert (Line.objects.count(), line_of(subscription).number) == (1, 2)


@pytest.mark.parametrize("given", [0, -1, 2**53, 2**63])
def test_number_that_clients_could_not_hold_is_refused(subscription, given):
    with pytest.raises(ValidationError) as refusal, transaction.atomic():
        line_of(subscription, number=given)

    assert fields_of(refusal) == ["number"]
    assert line_of(subscription).number == 1
