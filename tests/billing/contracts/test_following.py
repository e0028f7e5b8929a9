"""Lines of one brick that follow each other in a subscription."""

import pytest

from billing.contracts import end_line, followed_at, former_line, stored_followed_at
from tests import factories as make
from tests.billing.contracts.agreed import line_of, next_line_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines():
    """Three lines of a brick in a row, with a pause and a voided one in between, and a line of another brick."""
    first = make.line()
    first = end_line(line=first, ends_at=make.moment("2026-01-11"), actor=make.ACTOR)
    second = next_line_of(first, starts_at=make.moment("2026-01-11"), ends_at=make.moment("2026-01-16"))
    voided = next_line_of(first, starts_at=make.moment("2026-01-17"))
    end_line(line=voided, ends_at=voided.starts_at, actor=make.ACTOR)
    third = next_line_of(first, starts_at=make.moment("2026-01-20"))
    other = line_of(first.subscription, brick=make.brick(first.workspace, "Seats"))
    return first, second, third, other


def test_each_line_is_followed_by_the_next_of_its_brick(lines):
    first, second, third, _ = lines
    expected = {first.pk: second.starts_at, second.pk: third.starts_at}

    assert followed_at(first.subscription.lines.all()) == expected
    ending = [first.pk, second.pk]
    assert stored_followed_at(ending, workspace_id=first.workspace_id) == expected
    assert stored_followed_at([], workspace_id=first.workspace_id) == {}


def test_a_line_that_ends_last_is_followed_by_none(lines):
    *_, third, other = lines
    end_line(line=third, ends_at=make.moment("2026-02-01"), actor=make.ACTOR)
    end_line(line=other, ends_at=make.moment("2026-01-15"), actor=make.ACTOR)

    found = stored_followed_at([third.pk, other.pk], workspace_id=third.workspace_id)

    assert found == {third.pk: None, other.pk: None}


def test_the_former_line_is_the_last_before_that_was_not_voided(lines):
    first, second, third, other = lines

    assert former_line(third) == second
    assert former_line(second) == first
    assert former_line(first) is None
    assert former_line(other) is None
