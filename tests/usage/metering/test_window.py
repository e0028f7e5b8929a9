"""Counts of unreadable events in a measurement."""

from decimal import Decimal

import pytest

from usage.metering import Measurement
from usage.metering.window import ALL_READ, NOTHING, Unread

pytestmark = pytest.mark.once


def test_a_sample_is_told_as_json_has_it():
    unread = Unread(count=3, missing=1, sample=((7, '"1e3"'), (9, None)), newest=9)

    assert unread.as_list() == [{"record": 7, "value": '"1e3"'}, {"record": 9, "value": None}]
    assert ALL_READ.as_list() == []


def test_two_samples_are_equal_whenever_they_were_read():
    assert Unread(1, 1, ((7, None),), newest=7) == Unread(1, 1, ((7, None),), newest=12)


@pytest.mark.parametrize(
    ("records", "missing", "everywhere"), [(0, 0, False), (3, 0, False), (3, 2, False), (3, 3, True)]
)
def test_a_property_that_no_event_has_is_missing_everywhere(records, missing, everywhere):
    unread = Unread(count=missing, missing=missing, sample=())

    assert Measurement(Decimal(0), records, unread).is_missing_everywhere is everywhere


def test_nothing_is_zero_of_no_record():
    assert Measurement(quantity=Decimal(0), record_count=0, unread=ALL_READ, filter_gaps={}) == NOTHING
