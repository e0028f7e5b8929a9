"""The grammar of Rebilly's filters, whatever their fields."""

import pytest

from usage.dialects.rebilly.grammar import Clause, Exact, MalformedFilter, Range, parse

pytestmark = pytest.mark.once


def exact(field: str, *texts: str, is_negated: bool = False) -> Clause:
    return Clause(field, tuple(map(Exact, texts)), is_negated)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("  ", []),
        ("id:7", [exact("id", "7")]),
        ("id:7,8", [exact("id", "7", "8")]),
        ("id:7;quantity:3", [exact("id", "7"), exact("quantity", "3")]),
        ("id:!7,8", [exact("id", "7", "8", is_negated=True)]),
        ("id:!7,!8", [exact("id", "7", "8", is_negated=True)]),
        # Blanks around a field's name and before a sign are none of it; those of a value are.
        (" id : !7, 8 ", [exact("id", "7", " 8 ", is_negated=True)]),
        ("usageTime:2026-01-01T10:00:00Z", [exact("usageTime", "2026-01-01T10:00:00Z")]),
        ("quantity:1..10", [Clause("quantity", (Range("1", "10"),))]),
        ("quantity:1..", [Clause("quantity", (Range("1", None),))]),
        ("quantity:..10,20", [Clause("quantity", (Range(None, "10"), Exact("20")))]),
        ("id:a!b", [exact("id", "a!b")]),
    ],
)
def test_a_filter_is_parsed(text, clauses):
    assert parse(text) == clauses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id", "“id” does not have the form field:values."),
        (":7", "“:7” does not have the form field:values."),
        ("id:7;", "“” does not have the form field:values."),
        ("id:", "id: a value is missing."),
        ("id:7,,8", "id: a value is missing."),
        ("id:!", "id: a value is missing."),
        ("id:7,!8", "id: “!” negates all values, and must be before the first."),
        ("id:!!7", "id: “!” negates all values, and must be before the first."),
        ("id:@list", "id: a list of values is not allowed."),
        ("quantity: .. ", "quantity: a range requires at least one end."),
        ("id:\0", "Contains a NUL character."),
    ],
)
def test_what_is_no_filter_is_told_where_it_fails(text, message):
    with pytest.raises(MalformedFilter) as refusal:
        parse(text)

    assert str(refusal.value) == message


def test_a_filter_has_so_many_values_over_all_its_clauses(settings):
    settings.FILTER_VALUES = 3

    assert len(parse("id:1,2;quantity:3")) == 2
    with pytest.raises(MalformedFilter, match="at most 3 values"):
        parse("id:1,2;quantity:3,4")
