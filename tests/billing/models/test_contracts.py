"""Names of subscriptions and lines, and voided ones."""

from uuid import UUID

import pytest

from billing.models import Line, Subscription
from tests import factories as make

JANUARY, FEBRUARY = make.moment("2026-01-01"), make.moment("2026-02-01")


@pytest.mark.parametrize(
    ("ends_at", "is_voided"), [(None, False), (FEBRUARY, False), (JANUARY, True)], ids=["open", "ended", "voided"]
)
def test_what_ends_where_it_begins_is_voided(ends_at, is_voided):
    assert Subscription(starts_at=JANUARY, ends_at=ends_at).is_voided is is_voided
    assert Line(starts_at=JANUARY, ends_at=ends_at).is_voided is is_voided


def test_a_subscription_is_called_by_its_reference_or_else_its_id():
    of = Subscription(id=UUID(int=1), reference="SUB-1 ")

    # A blank at its end is seen.
    assert str(of) == "SUB-1␣"
    of.reference = None
    assert str(of) == str(UUID(int=1))
    assert str(Line(pk=1_000_001, number=42)) == "Line 42"


@pytest.mark.django_db
def test_lines_that_cover_something_are_found():
    owner = make.workspace()
    opened, ended, voided = (make.line(owner) for _ in range(3))
    Line.objects.filter(workspace=owner, pk=ended.pk).update(ends_at=FEBRUARY)
    Line.objects.filter(workspace=owner, pk=voided.pk).update(ends_at=JANUARY, own_ends_at=JANUARY)

    assert set(Line.objects.filter(workspace=owner).not_voided()) == {opened, ended}
