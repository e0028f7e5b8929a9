"""Ids in Rebilly's form: our rows' numbers in 26 digits of Crockford's base 32, which has no I, L, O and U."""

import pytest

from usage.dialects.rebilly.identifiers import INVOICE, USAGE, known, shown

pytestmark = pytest.mark.once

GREATEST = 2**63 - 1


@pytest.mark.parametrize(
    ("number", "digits"),
    [(0, "0"), (1, "1"), (31, "Z"), (32, "10"), (18, "J"), (20, "M"), (22, "P"), (27, "V"), (GREATEST, "7" + "Z" * 12)],
)
def test_a_number_is_shown_and_known_again(number, digits):
    told = shown(USAGE, number)

    assert told == f"sub_usg_{digits.rjust(26, '0')}"
    assert known(USAGE, told) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "sub_usg_",
        "sub_usg_1",
        # An invoice's.
        shown(INVOICE, 1),
        # Too many digits, too few, a lower-case digit, a letter that is none, and a number that no row has.
        "sub_usg_" + "0" * 26 + "1",
        "sub_usg_" + "0" * 24 + "1",
        "sub_usg_" + "0" * 25 + "z",
        "sub_usg_" + "0" * 25 + "U",
        "sub_usg_" + "0" * 13 + "8" + "0" * 12,
        shown(USAGE, 1) + "\n",
    ],
)
def test_what_no_row_can_have_is_not_known(text):
    assert known(USAGE, text) is None
