"""The rule on late usage, on values and as SQL."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import connection

from tests import factories as make
from usage.ledger.lateness import is_late, late
from usage.ledger.values import adapt

OPEN = make.moment("2026-02-01")
MICROSECOND = timedelta(microseconds=1)
JUST_BEFORE, JUST_AFTER = OPEN - MICROSECOND, OPEN + MICROSECOND


@pytest.mark.once
@pytest.mark.parametrize(
    ("moments", "open_from_at", "expected"),
    [
        ([JUST_BEFORE], OPEN, True),
        ([OPEN], OPEN, False),
        ([JUST_AFTER], OPEN, False),
        ([make.moment("1999-12-31")], None, False),
        # A change falls in both periods.
        ([JUST_BEFORE, JUST_AFTER], OPEN, True),
        ([JUST_AFTER, JUST_BEFORE], OPEN, True),
        ([OPEN, JUST_AFTER], OPEN, False),
        ([JUST_BEFORE, JUST_AFTER], None, False),
    ],
)
def test_usage_before_the_first_open_period_is_late(moments, open_from_at, expected):
    assert is_late(*moments, open_from_at=open_from_at) is expected


@pytest.mark.django_db
def test_sql_finds_the_same_late():
    moments = [make.moment("1999-12-31"), JUST_BEFORE, OPEN, JUST_AFTER, make.moment("2026-02-01 00:00:01")]
    given = "CAST(%s AS timestamptz)" if connection.vendor == "postgresql" else "%s"
    for moment, open_from_at in product(moments, [None, *moments]):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {late(moment=given, open_from_at=given)}",
                [adapt("occurred_at", moment), adapt("occurred_at", open_from_at)],
            )
            (found,) = cursor.fetchone()
        assert found is not None
        assert bool(found) == is_late(moment, open_from_at=open_from_at), (moment, open_from_at)
