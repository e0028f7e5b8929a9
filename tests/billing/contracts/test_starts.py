from datetime import UTC, date, datetime

import pytest

from billing.contracts import distant, distant_end

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def bounds(settings):
    settings.DISTANT_START_DAYS = 100
    settings.DISTANT_END_DAYS = 1000


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (date(2026, 4, 20), None),
        (date(2026, 4, 21), "This is more than 100 days ahead."),
        (date(2025, 10, 2), None),
        (date(2025, 10, 1), "This is more than 100 days back."),
        (datetime(2026, 4, 20, 0, 0, tzinfo=UTC), None),
        (datetime(2026, 4, 20, 0, 1, tzinfo=UTC), "This is more than 100 days ahead."),
    ],
)
def test_a_start_is_distant_beyond_the_bound(start, told):
    assert distant(start, as_of=NOW) == told


@pytest.mark.parametrize(
    ("last_day", "told"),
    [
        (date(2028, 10, 6), None),
        (date(2028, 10, 7), "This is more than 1000 days ahead. Leave the last day empty if there is no end."),
        (date(2001, 1, 1), None),
    ],
)
def test_an_end_is_distant_ahead_only(last_day, told):
    assert distant_end(last_day, as_of=NOW) == told
