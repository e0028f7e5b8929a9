from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import catalog, parties
from billing.models import EventRule
from tests import factories as make
from tests.usage.metering.windows import EVER, window
from usage import ledger
from usage.metering import Measurement, Window, measure

pytestmark = pytest.mark.django_db


@pytest.fixture
def globex():
    return make.customer(make.workspace(), aliases=["gx"])


def sent(customer, at: str = "2026-01-10", **properties) -> ledger.RecordedEvent:
    return make.event(customer.workspace, "gx", at, **properties)


def rule_of(customer, aggregation: str = "count", **terms) -> EventRule:
    return make.event_brick(customer.workspace, aggregation=aggregation, **terms).event_rules.get()


def measured(customer, aggregation: str = "count", **terms) -> str:
    (found,) = measure([window(customer, rule_of(customer, aggregation, **terms))])
    return f"{found.quantity.normalize():f} of {found.record_count}"


def test_no_event_is_zero(globex):
    assert [measured(globex, "count"), measured(globex, "sum", property="n")] == ["0 of 0"] * 2


def test_events_count_from_the_start_and_not_at_the_end_of_the_window(globex):
    for at in ("2025-12-31 23:59:59.999999", "2026-01-01", "2026-01-31 23:59:59.999999", "2026-02-01"):
        sent(globex, at)

    assert measured(globex) == "2 of 2"


def test_only_events_of_the_customer_and_the_type_count(globex):
    make.customer(globex.workspace, "Initech", aliases=["in"])
    sent(globex)
    sent(globex, event_type="Message-sent")
    make.event(globex.workspace, "in", "2026-01-10")
    make.event(globex.workspace, "unknown", "2026-01-10")

    assert measured(globex) == "1 of 1"


def test_a_sum_adds_numbers_and_passes_over_the_rest(globex):
    numbers = [500, Decimal("0.1"), "0.2", "-3", "007", Decimal("1e3"), Decimal("-1.50"), -(10**14)]
    rest = ["", "abc", "1e3", "+1", "1.", ".5", " 1", "1\n", "١", "0x10", "NaN", True, None, [5], {"n": 5}, "1" * 16]
    too_large = [10**15, Decimal("1e15"), Decimal("-1e500")]
    for value in [*numbers, *rest, *too_large]:
        sent(globex, n=value)
    sent(globex)

    total = Decimal("500.1") + Decimal("0.2") - 3 + 7 + 1000 - Decimal("1.5") - 10**14
    assert measured(globex, "sum", property="n") == f"{total:f} of {len(numbers + rest + too_large) + 1}"


def test_a_sum_is_exact_and_rounded_half_up_once(globex):
    # Each alone would be rounded away; together they are half of the last place.
    for _ in range(5):
        sent(globex, n=Decimal("0.0000000001"))
    sent(globex, n="123456789012345.123456789")

    assert measured(globex, "sum", property="n") == "123456789012345.12345679 of 6"


def test_a_sum_reads_numbers_with_any_number_of_decimals(globex):
    # 2.00...01 with 101, 1,000 and 15,998 decimals, and one beyond what is read.
    for zeros in (100, 999, 15_997, 15_999):
        sent(globex, n=f"2.{'0' * zeros}1")
    sent(globex, n=Decimal(f"2.{'0' * 998}1"))

    assert measured(globex, "sum", property="n") == "8 of 5"


def test_a_sum_of_many_decimals_is_rounded_once(globex):
    # 0.0000000004999...9 and 0.000...01 are 0.0000000005 together, which is half of the last place; alone, each is 0.
    sent(globex, n=f"0.0000000004{'9' * 200}")
    assert measured(globex, "sum", property="n") == "0 of 1"
    sent(globex, n=f"0.{'0' * 209}1")
    assert measured(globex, "sum", property="n") == "0.000000001 of 2"


def test_a_negative_sum_is_rounded_away_from_zero(globex):
    sent(globex, n=Decimal("-0.0000000005"))

    assert measured(globex, "sum", property="n") == "-0.000000001 of 1"


def test_distinct_values_are_told_apart_as_text(globex):
    same = [
        [1, Decimal("1.0"), "1", Decimal("1e0")],
        [True, "true"],
        [0, Decimal("-0.0"), "0"],
        [10**20, "1" + "0" * 20],
    ]
    different = ["", " ", "a", "A", "ä", "1.0", Decimal("0.5"), Decimal("123456789.123456789123456789123456789123")]
    for value in [value for values in same for value in values] + different:
        sent(globex, user=value)
    for nothing in (None, [1], {"a": 1}):
        sent(globex, user=nothing)
    sent(globex)

    assert measured(globex, "unique", property="user") == f"{len(same) + len(different)} of 23"


@pytest.mark.parametrize(
    ("filters", "negated", "count"),
    [
        ({"type": ["text"]}, (), 2),
        ({"type": ["text", "fax"]}, (), 3),
        ({"type": ["TEXT"]}, (), 0),
        ({"type": ["text"]}, ("type",), 5),
        ({"type": ["text"], "size": ["1.5"]}, (), 1),
        ({"type": ["text"], "size": ["1.5"]}, ("type",), 1),
        ({"type": ["text"], "size": ["1.5", "2"]}, ("type", "size"), 4),
        ({"size": ["1.50"]}, (), 0),
        ({"urgent": ["true"]}, (), 1),
        ({"urgent": ["True"]}, (), 0),
        ({"o'clock": ["%s", "{}"]}, (), 1),
        ({"missing": ["null", "", "None"]}, (), 0),
        ({"missing": ["null", "", "None"]}, ("missing",), 7),
    ],
)
def test_filters_must_all_match_and_negated_ones_not(globex, filters, negated, count):
    sent(globex, type="text", size=Decimal("1.50"))
    sent(globex, type="text", size="2")
    sent(globex, type="fax", size=Decimal("1.5"))
    sent(globex, type=None, urgent=True)
    sent(globex, type=["text"])
    sent(globex, **{"o'clock": "%s"})
    sent(globex)

    assert measured(globex, filters=filters, negated=negated) == f"{count} of {count}"


def test_filters_may_take_upper_and_lower_case_for_one(globex):
    for value in ("text", "Text", "TEXT", "fax", True):
        sent(globex, type=value)

    either = {"filters": {"type": ["tExt", "TRUE"]}, "is_case_sensitive": False}
    assert measured(globex, **either) == "4 of 4"
    assert measured(globex, **either, negated=["type"]) == "1 of 1"


def test_an_event_superseded_after_the_cutoff_still_counts_as_of_it(globex):
    rule = rule_of(globex, "sum", property="n")
    first = sent(globex, key="m-1", n=5)
    second = sent(globex, key="m-1", n=7)
    retraction = make.take_event_back(second)

    found = measure([window(globex, rule, cutoff=event.id) for event in (first, second, retraction)])

    assert [one.quantity for one in found] == [5, 7, 0]


def test_an_event_that_waited_counts_from_its_match_on(globex):
    rule = rule_of(globex)
    waiting = make.event(globex.workspace, "later", "2026-01-10")
    parties.add_alias(customer=globex, value="later", actor=make.ACTOR)

    found = measure([window(globex, rule, cutoff=cutoff) for cutoff in (waiting.id, EVER)])

    assert [one.quantity for one in found] == [0, 1]


def test_many_windows_of_two_rules_take_two_queries(globex):
    rules = [rule_of(globex), rule_of(globex, "sum", property="n")]
    for day in range(1, 21):
        sent(globex, f"2026-01-{day:02d} 12:00", n=day)
    days = [(f"2026-01-{day:02d}", f"2026-01-{day + 1:02d}") for day in range(1, 31)]

    with CaptureQueriesContext(connection) as queries:
        found = measure([window(globex, rule, *day) for day in days for rule in rules])

    assert len(queries) == 2
    assert [int(one.quantity) for one in found[::2]] == [1] * 20 + [0] * 10
    assert [int(one.quantity) for one in found[1::2]] == [*range(1, 21)] + [0] * 10


def test_windows_of_lines_and_of_events_are_measured_together(globex):
    line = make.line(globex.workspace)
    make.use(line, "3", "2026-01-10")
    sent(globex)
    of_line = Window(line.workspace_id, "sum", line.pk, make.moment("2026-01-01"), make.moment("2026-02-01"), EVER)

    found = measure([window(globex, rule_of(globex)), of_line, window(globex, rule_of(globex, event_type="call"))])

    assert found == [Measurement(Decimal(1), 1), Measurement(Decimal(3), 1), Measurement(Decimal(0), 0)]


def test_a_rule_that_was_replaced_still_measures(globex):
    brick = make.event_brick(globex.workspace)
    former = brick.event_rules.get()
    catalog.set_event_rule(
        brick=brick, rule=catalog.EventTerms("call", "count"), as_of=make.moment("2026-02-01"), actor=make.ACTOR
    )
    sent(globex)

    assert [one.quantity for one in measure([window(globex, former)])] == [1]
