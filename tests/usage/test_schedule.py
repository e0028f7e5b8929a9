"""The last completion of a scheduled task."""

import pytest

from tests.factories import moment
from usage.models import ScheduleTurn
from usage.schedule import last_turn, note_turn

pytestmark = pytest.mark.django_db


def test_a_task_that_never_completed_has_no_turn():
    note_turn(task="usage.sweep", as_of=moment("2026-01-01 12:00"))

    assert last_turn(task="usage.close_due") is None


def test_the_last_turn_takes_the_place_of_the_one_before():
    for at in ("2026-01-01 12:00", "2026-01-01 12:00:20"):
        note_turn(task="usage.sweep", as_of=moment(at))

    assert last_turn(task="usage.sweep") == moment("2026-01-01 12:00:20")
    assert ScheduleTurn.objects.count() == 1
