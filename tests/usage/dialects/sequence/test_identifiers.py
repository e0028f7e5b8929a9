"""Ids in Sequence's form: version 7 UUIDs made of a row's creation and its own id."""

import uuid

import pytest

from tests.factories import moment
from usage.dialects.sequence.identifiers import own_id, public_id

pytestmark = pytest.mark.once


@pytest.mark.parametrize("number", [1, 4_567, 2**62 - 1])
def test_an_id_is_a_version_7_uuid_that_tells_the_rows_own(number):
    told = public_id(number, moment("2026-01-10 12:00"))

    assert (told.version, told.variant, own_id(told)) == (7, uuid.RFC_4122, number)


def test_the_first_48_bits_are_milliseconds():
    # 2026-01-10T12:00:00Z is 1,768,046,400 seconds after 1970.
    assert public_id(1, moment("2026-01-10 12:00")).int >> 80 == 1_768_046_400_000
    assert public_id(1, moment("2026-01-10 12:00:00.001999")).int >> 80 == 1_768_046_400_001


def test_ids_sort_by_creation_and_then_by_their_own():
    early, late = moment("2026-01-10 12:00"), moment("2026-01-10 12:00:00.001")

    made = [public_id(9, early), public_id(10, early), public_id(1, late)]

    assert sorted(made) == made
    assert sorted(map(str, made)) == list(map(str, made))
