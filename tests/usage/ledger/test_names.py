"""The ids that a client may write in a name."""

from uuid import UUID

import pytest

from billing.names import parse_uuid
from usage.ledger import parse_line_number

pytestmark = pytest.mark.once

KNOWN = "7f0c6a52-52a8-4f5a-8c7e-0a1f8d2f4f11"


@pytest.mark.parametrize("name", [KNOWN, KNOWN.upper()])
def test_an_id_is_read_with_its_hyphens_in_either_case(name):
    assert parse_uuid(name) == UUID(KNOWN)


@pytest.mark.parametrize(
    "name", ["", "x", KNOWN.replace("-", ""), f"{{{KNOWN}}}", f"urn:uuid:{KNOWN}", f" {KNOWN}", KNOWN[:-1]]
)
def test_no_other_spelling_is_an_id(name):
    assert parse_uuid(name) is None


@pytest.mark.parametrize(("name", "number"), [("1", 1), ("42", 42), ("9007199254740991", 2**53 - 1)])
def test_a_number_is_read(name, number):
    assert parse_line_number(name) == number


@pytest.mark.parametrize("name", ["", "0", "007", "-1", "+1", "1.0", " 1", "1_0", "٣", "²", "1" * 19, "1" * 400])
def test_what_no_line_has_is_no_number(name):
    assert parse_line_number(name) is None
