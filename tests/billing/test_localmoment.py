from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from billing.localmoment import LocalMoment, in_zone
from tests.factories import moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-07-01 10:00", "2026-07-01T12:00:00+02:00"),
        ("1900-01-01 10:00", "1900-01-01T11:00:00+01:00"),
        # Before 1893, Berlin was 53 minutes and 28 seconds ahead of Greenwich.
        ("0026-11-01 00:00", "0026-11-01T00:00:00+00:00"),
    ],
)
def test_moment_is_written_with_an_offset_that_every_client_reads(at, told):
    assert in_zone(moment(at), BERLIN) == LocalMoment(moment(at), BERLIN) == told
    assert datetime.fromisoformat(told) == moment(at)
