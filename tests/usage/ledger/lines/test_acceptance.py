"""The rule on which lines take usage, on values and as SQL."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import pytest
from django.db import connection

from billing import contracts
from billing.models import Line, Workspace
from tests import factories as make
from tests.usage.ledger.commands import origin_of
from usage import ledger
from usage.commands import LineByBrick, LineByName, LineByNumber, RecordUsage
from usage.ledger.lines.acceptance import LineFacts, accept, condition
from usage.ledger.lines.address import Address, conditions
from usage.ledger.lines.loading import find_lines
from usage.ledger.values import adapt
from usage.models import UsageRecord

AT = "2026-01-10"
START, END = make.moment("2026-01-01"), make.moment("2026-03-01")
INSIDE = make.moment(AT)
MICROSECOND = timedelta(microseconds=1)


def facts(number: int = 1, aggregation: str = "sum", **fields) -> LineFacts:
    line = LineFacts(
        id=number,
        number=number,
        reference=None,
        aggregation=aggregation,
        is_bounded=False,
        starts_at=START,
        ends_at=END,
        open_from_at=START,
        time_zone="America/New_York",
    )
    return line._replace(**fields)


# (lines at the address, quantity, moment, refusal, message)
REFUSED = [
    ([], "1", INSIDE, ledger.LineNotFound, "There is no such line."),
    ([facts(aggregation="none")], "1", INSIDE, ledger.LineNotMetered, "This line is not metered: it takes no usage."),
    (
        [facts(aggregation="events")],
        "1",
        INSIDE,
        ledger.LineNotMetered,
        "This line counts events: it takes no usage of its own.",
    ),
    (
        [facts()],
        "1",
        START - MICROSECOND,
        ledger.OutsideLine,
        "The line was not active then, only from 2025-12-31T19:00:00-05:00 until 2026-02-28T19:00:00-05:00.",
    ),
    (
        [facts(1, ends_at=INSIDE), facts(2, starts_at=END, ends_at=None)],
        "1",
        INSIDE,
        ledger.OutsideLine,
        "The line was not active then, only from 2025-12-31T19:00:00-05:00 until 2026-01-09T19:00:00-05:00"
        " and from 2026-02-28T19:00:00-05:00.",
    ),
    (
        [facts(1), facts(2)],
        "1",
        INSIDE,
        ledger.LineNotFound,
        "This subscription has several lines that take usage: give one of them.",
    ),
    ([facts(aggregation="unit_days")], "-0.1", INSIDE, ledger.QuantityRefused, "A gauge can't be negative."),
    # What the line is comes before when it is active, and that before what it takes.
    ([facts(aggregation="none")], "-1", END, ledger.LineNotMetered, "This line is not metered: it takes no usage."),
    (
        [facts(aggregation="unit_days", ends_at=None)],
        "-1",
        START - MICROSECOND,
        ledger.OutsideLine,
        "The line was not active then, only from 2025-12-31T19:00:00-05:00.",
    ),
]


@pytest.mark.once
@pytest.mark.parametrize(("found", "quantity", "at", "refusal", "message"), REFUSED)
def test_no_line_takes_the_usage(found, quantity, at, refusal, message):
    with pytest.raises(refusal) as refused:
        accept(found, quantity=Decimal(quantity), occurred_at=at)

    assert (type(refused.value), refused.value.message) == (refusal, message)


@pytest.mark.once
@pytest.mark.parametrize(
    ("found", "quantity", "at", "number"),
    [
        ([facts()], "-1", INSIDE, 1),
        ([facts()], "1", START, 1),
        ([facts()], "1", END - MICROSECOND, 1),
        ([facts(aggregation="unit_days")], "0", INSIDE, 1),
        ([facts(aggregation="unit_days")], "-0", INSIDE, 1),
        ([facts(1, ends_at=INSIDE), facts(2, starts_at=INSIDE)], "1", INSIDE, 2),
        # A line that was voided is never active.
        ([facts(1, starts_at=INSIDE, ends_at=INSIDE), facts(2)], "1", INSIDE, 2),
    ],
)
def test_a_line_takes_the_usage(found, quantity, at, number):
    assert accept(found, quantity=Decimal(quantity), occurred_at=at).number == number


@dataclass(frozen=True)
class World:
    """A workspace with every kind of line, and the addresses under which they are looked for."""

    workspace: Workspace
    lines: dict[str, Line]
    addresses: dict[str, Address]


def world() -> World:
    owner = make.workspace()
    counter, gauge = make.line(owner), make.line(owner, aggregation="unit_days")
    flat = make.line(owner, aggregation="none", model="flat")
    events = make.counting_line(make.customer(owner, "of events"), make.event_brick(owner))
    ended = make.line(owner, ends_on=date(2026, 1, 5))
    voided = make.line(owner)
    contracts.end_line(line=voided, ends_at=voided.starts_at, actor=make.ACTOR)
    repriced = make.line(owner)
    contracts.end_line(line=repriced, ends_at=INSIDE, actor=make.ACTOR)
    dearer = contracts.add_line(
        subscription=repriced.subscription,
        brick=repriced.brick,
        price=make.price(repriced.brick, "3"),
        starts_at=INSIDE,
        reference="dearer",
        actor=make.ACTOR,
    )
    several = make.line(owner)
    brick = make.brick(owner, "Seats", aggregation="unit_days")
    contracts.add_line(
        subscription=several.subscription,
        brick=brick,
        price=make.price(brick),
        starts_at=make.moment("2026-01-20"),
        actor=make.ACTOR,
    )
    mixed = contracts.add_line(
        subscription=events.subscription, brick=gauge.brick, price=make.price(gauge.brick, "5"), actor=make.ACTOR
    )
    named = make.subscription(make.customer(owner, "named"), reference="S-1")
    of_named = contracts.add_line(
        subscription=named, brick=counter.brick, price=make.price(counter.brick, "4"), actor=make.ACTOR
    )
    # Its reference is the number of another line, and one's the id of another subscription.
    Line.objects.filter(pk=ended.pk).update(reference=str(gauge.number))
    Line.objects.filter(pk=of_named.pk).update(reference=str(flat.subscription_id))
    theirs = make.line(make.workspace("other", next_line_number=1000))
    lines = {
        "counter": counter,
        "gauge": gauge,
        "flat": flat,
        "events": events,
        "ended": ended,
        "voided": voided,
        "repriced": repriced,
        "dearer": dearer,
        "several": several,
        "mixed": mixed,
        "of named": of_named,
        "theirs": theirs,
    }
    addresses: dict[str, Address] = {"unknown number": LineByNumber(10**9)}
    for name, line in lines.items():
        addresses[f"number of {name}"] = LineByNumber(line.number)
        addresses[f"brick of {name}"] = LineByBrick(line.subscription_id, line.brick_id)
        addresses[f"number of {name} as a name"] = LineByName(str(line.number))
        addresses[f"subscription of {name}"] = LineByName(str(line.subscription_id))
    other_names = ["dearer", "S-1", "s-1", "", "0", "007", " 1", "1" * 30, "٣", "nobody"]
    other_names += [str(counter.subscription_id).upper(), counter.subscription_id.hex]
    addresses |= {f"name {name}": LineByName(name) for name in other_names}
    return World(owner, lines, addresses)


def by_values(owner: Workspace, address: Address, quantity: Decimal, at) -> int | None:
    found = find_lines(owner.pk, [address])
    try:
        return accept(found.at(address), quantity=quantity, occurred_at=at).id
    except ledger.UnableToRecord:
        return None


def by_sql(owner: Workspace, address: Address, quantity: Decimal, at) -> int | None:
    accepts, parameters = condition(quantity=quantity, moment=adapt("occurred_at", at))
    for is_addressed, names in conditions(address, workspace_id=owner.pk, occurred_at=at):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT line.id FROM billing_line line"
                " JOIN billing_brick brick ON brick.workspace_id = line.workspace_id AND brick.id = line.brick_id"
                f" WHERE line.workspace_id = %s AND {is_addressed} AND {accepts}",
                [owner.pk, *names, *parameters],
            )
            found = [line_id for (line_id,) in cursor.fetchall()]
        if found:
            (line_id,) = found
            return line_id
    return None


@pytest.mark.django_db
def test_sql_takes_the_lines_that_the_rule_on_values_takes():
    made = world()
    moments = ["2025-12-31 23:59:59.999999", "2026-01-01", "2026-01-04 23:59:59.999999", "2026-01-05"]
    moments += ["2026-01-09 23:59:59.999999", AT, "2026-01-25"]
    cases = list(product(made.addresses.items(), ["1", "0", "-1"], moments))

    taken: dict[str, set[int | None]] = {name: set() for name in made.addresses}
    for (name, address), quantity, at in cases:
        case = (made.workspace, address, Decimal(quantity), make.moment(at))
        expected = by_values(*case)
        assert by_sql(*case) == expected, (name, quantity, at)
        taken[name].add(expected)

    # Each case is one that tells something.
    reached = {line_id for lines in taken.values() for line_id in lines}
    never = {"flat", "events", "voided", "theirs"}
    assert {name for name, line in made.lines.items() if line.pk not in reached} == never
    ids = {name: line.pk for name, line in made.lines.items()}
    assert taken["subscription of repriced"] == {None, ids["repriced"], ids["dearer"]}
    # From the 20th on there are two.
    assert taken["subscription of several"] == {None, ids["several"]}
    # A reference goes before a number, also where its line has ended; and before an id.
    assert taken["number of gauge as a name"] == {None, ids["ended"]}
    assert taken["subscription of flat"] == {None, ids["of named"]}
    assert taken["subscription of events"] == {None, ids["mixed"]}
    assert taken["name S-1"] == {None, ids["of named"]}
    upper = f"name {str(made.lines['counter'].subscription_id).upper()}"
    assert taken[upper] == {None, ids["counter"]}
    for name in ("name s-1", "name ", "name 007", "name nobody", f"name {made.lines['counter'].subscription_id.hex}"):
        assert taken[name] == {None}


@pytest.mark.django_db
def test_a_line_of_another_workspace_is_not_found():
    line = make.line()
    stranger = origin_of(make.workspace("other"))
    command = RecordUsage(
        origin=stranger, address=LineByNumber(line.number), quantity=Decimal(1), occurred_at=make.moment(AT)
    )

    with pytest.raises(ledger.LineNotFound):
        ledger.record(command=command, recorded_at=make.moment(AT))

    assert UsageRecord.objects.count() == 0


@pytest.mark.django_db
def test_a_single_record_is_refused_for_the_same_reasons():
    with pytest.raises(ledger.QuantityRefused, match="A gauge can't be negative"):
        make.use(make.line(make.workspace("gauge"), aggregation="unit_days"), "-1", AT)
    with pytest.raises(ledger.LineNotMetered):
        make.use(make.line(make.workspace("flat"), aggregation="none", model="flat"), "1", AT)
    ending = make.line(make.workspace("ending"), ends_on=date(2026, 3, 1))
    for at in ("2025-12-31 23:59:59.999999", "2026-03-01"):
        with pytest.raises(ledger.OutsideLine, match="only from 2026-01-01T00:00:00.00:00 until 2026-03-01T00"):
            make.use(ending, "1", at)

    assert UsageRecord.objects.count() == 0
