"""Rebilly: the grammar of filters, and the usages that each field's values match."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import factories as make
from tests.scenarios.closing import close_and_issue
from tests.usage.dialects.rebilly.client import Rebilly, named, unreadable
from usage.dialects.rebilly.grammar import Clause, Exact, MalformedFilter, Range, parse
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


# --- the language


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("  ", []),
        ("a:1", [Clause("a", (Exact("1"),))]),
        ("a:1,2", [Clause("a", (Exact("1"), Exact("2")))]),
        ("a:!1,2", [Clause("a", (Exact("1"), Exact("2")), is_negated=True)]),
        ("a:!1,!2", [Clause("a", (Exact("1"), Exact("2")), is_negated=True)]),
        ("a:1;b:2", [Clause("a", (Exact("1"),)), Clause("b", (Exact("2"),))]),
        (
            " a : 1 , 2 ; b : ! 3 ",
            [Clause("a", (Exact(" 1 "), Exact(" 2 "))), Clause("b", (Exact(" 3 "),), is_negated=True)],
        ),
        ("a: !1, !2 ", [Clause("a", (Exact("1"), Exact("2 ")), is_negated=True)]),
        ("a: 1 .. 2", [Clause("a", (Range(" 1 ", " 2"),))]),
        ("a:1..2", [Clause("a", (Range("1", "2"),))]),
        ("a:1..", [Clause("a", (Range("1", None),))]),
        ("a:..2", [Clause("a", (Range(None, "2"),))]),
        ("a:!1.5..2.5,9", [Clause("a", (Range("1.5", "2.5"), Exact("9")), is_negated=True)]),
        (
            "t:2026-01-01T00:00:00.000Z..2026-02-01T00:00:00+01:00",
            [Clause("t", (Range("2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00+01:00"),))],
        ),
        ("a:b:c", [Clause("a", (Exact("b:c"),))]),
        ("a.b:1", [Clause("a.b", (Exact("1"),))]),
    ],
)
def test_a_filter_is_read(text, clauses):
    assert parse(text) == clauses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "“a” does not have the form field:values."),
        (":1", "“:1” does not have the form field:values."),
        ("a:1;", "“” does not have the form field:values."),
        ("a:1;;b:2", "“” does not have the form field:values."),
        ("a:", "a: a value is missing."),
        ("a:!", "a: a value is missing."),
        ("a: ", "a: a value is missing."),
        ("a:1, ", "a: a value is missing."),
        ("a: .. ", "a: a range requires at least one end."),
        ("a:1, !2", "a: “!” negates all values, and must be before the first."),
        ("a: @friends", "a: a list of values is not allowed."),
        ("a:1,,2", "a: a value is missing."),
        ("a:..", "a: a range requires at least one end."),
        ("a:1,!2", "a: “!” negates all values, and must be before the first."),
        ("a:!!1", "a: “!” negates all values, and must be before the first."),
        ("a:@friends", "a: a list of values is not allowed."),
        ("a:!@friends", "a: a list of values is not allowed."),
        ("a:\0", "Contains a NUL character."),
        ("a:" + ",".join("1" * 60) + ";b:" + ",".join("1" * 41), "A filter has at most 100 values."),
    ],
)
def test_what_is_no_filter_is_refused_with_the_reason(text, message):
    with pytest.raises(MalformedFilter) as refused:
        parse(text)

    assert str(refused.value) == message


# --- the fields


@pytest.fixture
def line():
    return named(make.line(), "sub_One")


@pytest.fixture
def rebilly(line):
    """A client of a workspace with four usages: 1, 2.5 and 40 of a line, a day apart, and 2.5 of another one."""
    for quantity, day in (("1", 1), ("2.5", 2), ("40", 3)):
        make.use(line, quantity, f"2026-07-0{day} 12:00", recorded_at=f"2026-07-1{day}")
    other = make.line(line.workspace)
    make.use(other, "2.5", "2026-07-04 00:00", recorded_at="2026-07-14")
    return Rebilly(make.api_key(line.workspace))


def test_a_reference_is_found_with_the_blanks_at_its_ends_alone(line):
    for n, reference in enumerate(("L1", "L1 ", " L1", "a b")):
        other = named(make.line(line.workspace), reference)
        make.use(other, str(n + 1), f"2026-07-0{n + 1} 12:00")
    rebilly = Rebilly(make.api_key(line.workspace))

    for text, expected in (("L1", "1"), ("L1 ", "2"), (" L1", "3"), ("L1,L1 ,a b", "1 2 4"), ("! L1", "1 2 4")):
        assert found(rebilly, f"subscriptionId:{text}") == expected


def found(rebilly, text):
    """Return the quantities that a filter finds, the oldest first."""
    response = rebilly.listed(filter=quote(text), sort="id")
    assert response.status_code == 200, response.content
    return " ".join(f"{usage['quantity']:g}" for usage in response.json())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quantity:2.5", "2.5 2.5"),
        ("quantity:2.500", "2.5 2.5"),
        ("quantity:!2.5", "1 40"),
        ("quantity:1,40", "1 40"),
        ("quantity:!1,40", "2.5 2.5"),
        ("quantity:2..10", "2.5 2.5"),
        ("quantity:2.5..40", "2.5 40 2.5"),
        ("quantity:9..10", ""),
        ("quantity:10..9", ""),
        ("quantity:10..", "40"),
        ("quantity:..2.5", "1 2.5 2.5"),
        ("quantity:-5..1", "1"),
        ("quantity:!2..", "1"),
        ("quantity:..1,40..", "1 40"),
        ("usageTime:2026-07-02T12:00:00Z", "2.5"),
        ("usageTime:2026-07-02T14:00:00+02:00", "2.5"),
        ("usageTime:2026-07-02 12:00", "2.5"),
        ("usageTime:2026-07-02T12:00:00.000001Z", ""),
        ("usageTime:2026-07-02", "2.5"),
        ("usageTime:!2026-07-02", "1 40 2.5"),
        ("usageTime:2026-07-02T12:00:00Z..2026-07-03T12:00:00Z", "2.5 40"),
        ("usageTime:2026-07-02..2026-07-03", "2.5 40"),
        ("usageTime:2026-07-03..", "40 2.5"),
        ("usageTime:..2026-07-03", "1 2.5 40"),
        ("createdTime:2026-07-13T00:00:00Z..", "40 2.5"),
        ("updatedTime:..2026-07-11", "1"),
        ("subscriptionId:sub_One", "1 2.5 40"),
        ("subscriptionId:SUB_oNE", "1 2.5 40"),
        ("subscriptionId:!sub_one", "2.5"),
        ("subscriptionId:sub_", ""),
        ("subscriptionId:!sub_", "1 2.5 40 2.5"),
        ("subscriptionId:%", ""),
        ("subscriptionId:sub_One;quantity:2.5", "2.5"),
        ("quantity:2.5;quantity:!2.5", ""),
        ("id:sub_usg_00000000000000000000000000", ""),
        ("id:7", ""),
        ("id:!7", "1 2.5 40 2.5"),
        ("invoiceId:null", "1 2.5 40 2.5"),
        ("invoiceId:!null", ""),
        ("invoiceId:in_00000000000000000000000001", ""),
    ],
)
def test_a_filter_finds_what_matches(rebilly, text, expected):
    assert found(rebilly, text) == expected


def test_a_usage_is_found_by_its_id_in_any_case(rebilly):
    usage = rebilly.listed(limit=1).json()[0]["id"]

    assert rebilly.ids(filter=f"id:{usage}") == rebilly.ids(filter=f"id:{usage.swapcase()}") == [usage]
    assert usage not in rebilly.ids(filter=f"id:!{usage}")


def test_usages_are_found_by_every_name_that_a_report_may_give(rebilly, line):
    subscription = line.subscription
    subscription.reference = "sub_Whole"
    subscription.save(update_fields=["reference"])

    for name in ("sub_One", line.number, subscription.pk, str(subscription.pk).upper(), "SUB_whole"):
        assert found(rebilly, f"subscriptionId:{name}") == "1 2.5 40"


def test_a_correction_is_found_by_what_it_says_and_when_it_was_made(rebilly):
    first = UsageRecord.objects.earliest("id")
    make.fix(make.use(first.line, "7", "2026-07-05", recorded_at="2026-07-15"), "8", recorded_at="2026-07-18")

    assert found(rebilly, "quantity:7") == ""
    assert found(rebilly, "createdTime:2026-07-15") == "8"
    assert found(rebilly, "updatedTime:2026-07-15") == ""
    assert found(rebilly, "updatedTime:2026-07-18") == "8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "price:1",
            "price: not a filter; use one of id, subscriptionId, invoiceId, usageTime, quantity, createdTime,"
            " updatedTime.",
        ),
        ("quantity:many", "quantity: “many” is not a number."),
        ("quantity:1...5", "quantity: “.5” is not a number."),
        ("quantity:1e3", "quantity: “1e3” is not a number."),
        ("quantity:1..ten", "quantity: “ten” is not a number."),
        ("quantity:٣", "quantity: “٣” is not a number."),
        ("quantity:0.0000000001", "quantity: Ensure that there are no more than 9 decimal places."),
        (
            "quantity:1000000000000000",
            "quantity: Ensure that there are no more than 15 digits before the decimal point.",
        ),
        (
            "usageTime:yesterday",
            "usageTime: Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
        ),
        ("usageTime:9999-12-31", "usageTime: Datetime is out of range."),
        ("id:a..b", "id: ids can't be given as a range."),
        ("subscriptionId:..b", "subscriptionId: ids can't be given as a range."),
        ("quantity", "“quantity” does not have the form field:values."),
    ],
)
def test_a_filter_that_says_nothing_is_refused_by_name(rebilly, text, message):
    response = rebilly.listed(filter=quote(text))

    assert (response.status_code, response.json()) == (400, unreadable(filter=message))


@pytest.mark.parametrize("text", ["%00", "a:%00", "subscriptionId:%FF%FE", "subscriptionId:" + "x" * 5000, "%3A%3A%3B"])
def test_no_filter_is_a_fault_of_ours(rebilly, text):
    assert rebilly.listed(filter=text).status_code in (200, 400)


def test_as_many_values_as_there_may_be_are_compared(rebilly):
    names = ",".join(["sub_One", *(f"sub_{number}" for number in range(99))])

    assert found(rebilly, f"subscriptionId:{names}") == "1 2.5 40"
    assert found(rebilly, f"subscriptionId:!{names}") == "2.5"


# --- compared with a plain evaluation

START = datetime(2026, 1, 1, tzinfo=UTC)
quantities = st.sampled_from([Decimal(text) for text in ("0.001", "1", "2.5", "9", "10", "11", "100.000000001")])
moments = st.integers(0, 40).map(lambda hours: START + timedelta(hours=7 * hours))


@dataclass(frozen=True)
class Fact:
    line: int
    quantity: Decimal
    at: datetime
    corrected_to: Decimal | None


facts = st.lists(
    st.builds(Fact, st.integers(0, 1), quantities, moments, st.one_of(st.none(), quantities)), min_size=1, max_size=8
)


def ranges(values):
    texts = values.map(lambda value: value.isoformat() if isinstance(value, datetime) else str(value))
    both = st.tuples(texts, texts)
    return st.one_of(
        texts.map(Exact),
        both.map(lambda ends: Range(*ends)),
        texts.map(lambda text: Range(text, None)),
        texts.map(lambda text: Range(None, text)),
    )


def clauses_of(field, values):
    return st.builds(
        Clause, st.just(field), st.lists(values, min_size=1, max_size=3).map(tuple), is_negated=st.booleans()
    )


@st.composite
def clauses(draw):
    fields = {
        "quantity": ranges(quantities),
        "usageTime": ranges(moments),
        "subscriptionId": st.sampled_from(["sub_a", "SUB_B", "sub_c"]).map(Exact),
        "invoiceId": st.sampled_from(["null", "{invoice}", "in_00000000000000000000000000"]).map(Exact),
        "id": st.sampled_from(["{first}", "{last}", "sub_usg_1"]).map(Exact),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3))
    return [draw(clauses_of(field, fields[field])) for field in chosen]


def written(clause):
    def text(value):
        return value.text if isinstance(value, Exact) else f"{value.lowest or ''}..{value.highest or ''}"

    return f"{clause.field}:{'!' * clause.is_negated}{','.join(map(text, clause.values))}"


def matches(usage, clause, names):
    """Tell whether a usage as it is shown matches a clause."""
    read = {"quantity": Decimal, "usageTime": datetime.fromisoformat}.get(clause.field, str.lower)
    shown = usage[clause.field]
    shown = "null" if shown is None else read(str(shown))

    def one(value):
        if isinstance(value, Exact):
            return shown == read(value.text.format(**names))
        low, high = (end and read(end) for end in (value.lowest, value.highest))
        return (low is None or low <= shown) and (high is None or shown <= high)

    return any(map(one, clause.values)) is not clause.is_negated


@settings(max_examples=20)
@given(story=facts, asked=clauses())
def test_a_filter_finds_what_a_plain_evaluation_does(story, asked):
    with transaction.atomic():
        workspace = make.workspace()
        lines = [named(make.line(workspace), "sub_a"), named(make.line(workspace), "sub_b")]
        for fact in story:
            record = make.use(lines[fact.line], str(fact.quantity), f"{fact.at:%Y-%m-%d %H:%M}")
            if fact.corrected_to is not None:
                make.fix(record, str(fact.corrected_to))
        close_and_issue(workspace, "2026-02-01")
        rebilly = Rebilly(make.api_key(workspace))
        everything = rebilly.listed(sort="id").json()
        names = {
            "first": everything[0]["id"],
            "last": everything[-1]["id"],
            "invoice": everything[0]["invoiceId"],
        }

        text = ";".join(map(written, asked)).format(**names)
        shown = rebilly.ids(filter=quote(text), sort="id")

        assert shown == [usage["id"] for usage in everything if all(matches(usage, one, names) for one in asked)]
        transaction.set_rollback(True)
