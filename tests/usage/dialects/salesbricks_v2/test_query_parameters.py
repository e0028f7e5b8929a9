"""Times and days of a read, in the workspace's time zone; ends may be included."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.factories import moment
from usage.dialects.salesbricks_v2.query_parameters import BoundaryField, SpanQuery

pytestmark = pytest.mark.once

TZ = "Europe/Berlin"


class Included(SpanQuery):
    includes_end = True


def read(query: type[SpanQuery], **data: str) -> Any:
    span = query(data=data, context={"zone": ZoneInfo(TZ)})
    return span.validated_data if span.is_valid() else span.errors


@pytest.mark.parametrize(
    ("text", "start", "end", "included"),
    [
        # 29 March has 23 hours in Berlin.
        ("2026-03-29", "2026-03-29", "2026-03-29", "2026-03-30"),
        ("2026-01-10T12:00:00", "2026-01-10 12:00", "2026-01-10 12:00", "2026-01-10 12:00:00.000001"),
        ("2026-01-10T11:00:00Z", "2026-01-10 12:00", "2026-01-10 12:00", "2026-01-10 12:00:00.000001"),
    ],
)
def test_a_span_is_read_in_the_workspaces_zone(text, start, end, included):
    sent = {"from": text, "to": text}

    assert read(SpanQuery, **sent) == {"starts_at": moment(start, tz=TZ), "ends_at": moment(end, tz=TZ)}
    assert read(Included, **sent) == {"starts_at": moment(start, tz=TZ), "ends_at": moment(included, tz=TZ)}


def test_both_ends_may_be_left_out():
    assert read(SpanQuery) == {}


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "2026-13-01T00:00:00Z", ""])
def test_what_is_no_moment_is_refused_by_its_name(text):
    assert list(read(SpanQuery, **{"from": "2026-01-01", "to": text})) == ["to"]


def test_an_end_is_left_out_unless_it_is_included():
    assert BoundaryField().is_included is False
