import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from billing import catalog, contracts
from billing.catalog import PriceTerms
from billing.contracts import LineTerms, UnableToAgree
from billing.models import Brick, Line, Price, Subscription
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue

pytestmark = pytest.mark.django_db

at = make.moment


def fields_of(refusal):
    return list(refusal.value.message_dict)


def line_of(subscription, *, brick=None, **fields):
    brick = brick or make.brick(subscription.workspace)
    return contracts.add_line(subscription=subscription, brick=brick, price=make.price(brick), **fields)


def next_line_of(line, **fields):
    return contracts.add_line(subscription=line.subscription, brick=line.brick, price=line.price, **fields)


@pytest.fixture
def subscription():
    return make.subscription(make.customer(make.workspace()))


@pytest.mark.parametrize(
    ("interval", "starts_on", "anchor_on", "ends_on", "due"),
    [
        ("monthly", "2026-01-01", "2026-01-01", None, "2026-02-01"),
        ("monthly", "2026-01-10", "2026-02-01", None, "2026-02-01"),
        ("monthly", "2026-01-31", "2026-01-31", None, "2026-02-28"),
        ("monthly", "2026-02-28", "2025-01-31", None, "2026-03-31"),
        ("monthly", "2026-02-27", "2027-01-31", None, "2026-02-28"),
        ("monthly", "2026-01-01", "2026-01-01", "2026-01-24", "2026-01-24"),
        ("monthly", "2026-01-01", "2026-01-01", "2026-02-01", "2026-02-01"),
        ("quarterly", "2026-02-10", "2026-01-01", None, "2026-04-01"),
        ("yearly", "2026-02-10", "2028-02-29", None, "2026-02-28"),
    ],
)
def test_first_period_ends_at_the_next_window_of_the_anchor(interval, starts_on, anchor_on, ends_on, due):
    made = make.subscription(
        make.customer(make.workspace()),
        starts_on=date.fromisoformat(starts_on),
        anchor_on=date.fromisoformat(anchor_on),
        ends_on=ends_on and date.fromisoformat(ends_on),
        interval=interval,
    )

    kept = Subscription.objects.get()
    assert (kept.pk, kept.open_from_at, kept.next_close_at) == (made.pk, at(starts_on), at(due))


def test_subscription_begins_on_days_that_are_those_of_the_workspace():
    made = make.subscription(make.customer(make.workspace(time_zone="Asia/Tokyo")))

    assert (made.starts_at, made.next_close_at) == (at("2025-12-31 15:00"), at("2026-01-31 15:00"))


def test_subscription_takes_over_ids_of_another_system():
    given = uuid.UUID("5b1b8a4e-0b1c-4b59-9be1-8f5c5b0d6c11")
    made = make.subscription(make.customer(make.workspace()), id=given, reference="sub_1")

    assert (made.pk, str(made)) == (given, "sub_1")
    assert Subscription.objects.get(pk=given) == made


def test_currency_of_a_subscription_is_the_workspaces_unless_another_is_given():
    customer = make.customer(make.workspace(currency="EUR"))

    assert [make.subscription(customer, currency=code).currency for code in (None, "JPY")] == ["EUR", "JPY"]


def test_reference_of_a_subscription_is_unique_in_its_workspace_only_and_an_empty_one_is_none():
    live = make.workspace()
    for workspace in (live, live.twin, make.workspace("other")):
        make.subscription(make.customer(workspace), reference="sub_1")
    empty = [make.subscription(make.customer(live), reference=text) for text in ("", "", None)]

    assert [made.reference for made in empty] == [None, None, None]
    with pytest.raises(ValidationError):
        make.subscription(make.customer(live), reference="sub_1")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"interval": "weekly"}, "interval"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"reference": "x" * 101}, "reference"),
        ({"ends_on": date(2026, 1, 1)}, "ends_at"),
        ({"ends_on": date(2025, 12, 31)}, "ends_at"),
        ({"starts_on": date(9999, 12, 31)}, "starts_at"),
    ],
)
def test_subscription_that_cannot_be_is_refused_by_field(fields, named):
    with pytest.raises(ValidationError) as refusal:
        make.subscription(make.customer(make.workspace()), **fields)

    assert fields_of(refusal) == [named]
    assert not Subscription.objects.exists()


def test_subscription_id_that_another_workspace_has_is_refused(subscription):
    elsewhere = make.customer(make.workspace("other"))

    with pytest.raises(ValidationError) as refusal:
        make.subscription(elsewhere, id=subscription.pk)

    assert fields_of(refusal) == ["id"]
    assert Subscription.objects.get().workspace == subscription.workspace


def test_line_lives_as_long_as_its_subscription_unless_told_otherwise():
    agreed = make.subscription(make.customer(make.workspace()), ends_on=date(2026, 3, 1))

    whole = line_of(agreed)
    part = line_of(agreed, starts_at=at("2026-01-10"), ends_at=at("2026-02-10"))

    assert [(line.starts_at, line.ends_at) for line in (whole, part)] == [
        (at("2026-01-01"), at("2026-03-01")),
        (at("2026-01-10"), at("2026-02-10")),
    ]
    assert [(line.workspace, line.open_from_at, line.cutoff) for line in (whole, part)] == [
        (agreed.workspace, at("2026-01-01"), 0)
    ] * 2


def test_lines_are_numbered_by_their_workspace(subscription):
    elsewhere = make.subscription(make.customer(make.workspace("other")))

    lines = [line_of(of) for of in (subscription, elsewhere, subscription, elsewhere)]

    assert [line.number for line in lines] == [1, 1, 2, 2]
    assert str(lines[3]) == "Line 2"


def test_given_number_leaves_the_next_as_it_is_and_is_skipped(subscription):
    given = [line_of(subscription, number=number).number for number in (2**53 - 1, 3, 4, 2)]
    drawn = [line_of(subscription).number for _ in range(3)]

    assert (given, drawn) == ([2**53 - 1, 3, 4, 2], [1, 5, 6])


def test_given_number_concerns_no_other_workspace(subscription):
    elsewhere = make.subscription(make.customer(make.workspace("other")))
    line_of(subscription, number=9007199254740991)
    line_of(subscription, number=4711)

    assert [line_of(elsewhere, number=4711).number, line_of(elsewhere).number] == [4711, 1]


def test_number_that_a_line_has_is_refused(subscription):
    line = line_of(subscription)

    with pytest.raises(ValidationError) as refusal:
        line_of(subscription, number=line.number)

    assert fields_of(refusal) == ["number"]
    assert [error.code for error in refusal.value.error_dict["number"]] == ["unique"]
    assert (Line.objects.count(), line_of(subscription).number) == (1, 2)


@pytest.mark.parametrize("given", [0, -1, 2**53, 2**63])
def test_number_that_clients_could_not_hold_is_refused(subscription, given):
    with pytest.raises(ValidationError) as refusal, transaction.atomic():
        line_of(subscription, number=given)

    assert fields_of(refusal) == ["number"]
    assert line_of(subscription).number == 1


def test_reference_of_a_line_is_unique_in_its_workspace_only_and_an_empty_one_is_none():
    live = make.workspace()
    for workspace in (live, live.twin):
        line_of(make.subscription(make.customer(workspace)), reference="item_1")
    agreed = make.subscription(make.customer(live))

    assert [line_of(agreed, reference="").reference for _ in range(2)] == [None, None]
    with pytest.raises(ValidationError):
        line_of(agreed, reference="item_1")


def test_brick_of_another_workspace_is_refused(subscription):
    for workspace in (subscription.workspace.twin, make.workspace("other")):
        with pytest.raises(UnableToAgree) as refusal:
            line_of(subscription, brick=make.brick(workspace))
        assert fields_of(refusal) == ["brick"]


def test_price_has_to_be_the_bricks(subscription):
    brick = make.brick(subscription.workspace)

    with pytest.raises(UnableToAgree) as refusal:
        contracts.add_line(subscription=subscription, brick=brick, price=make.price(make.brick(subscription.workspace)))
    assert fields_of(refusal) == ["price"]


@pytest.mark.parametrize(
    ("aggregation", "fields"),
    [
        ("sum", {"currency": "EUR"}),
        ("none", {"model": "per_unit"}),
        ("sum", {"model": "graduated", "unit_price": 0}),
    ],
    ids=["another currency", "not metered and not flat", "without tiers"],
)
def test_price_that_cannot_be_billed_is_refused(subscription, aggregation, fields):
    brick = make.brick(subscription.workspace, aggregation=aggregation)
    price = Price.objects.create(
        **{"workspace": brick.workspace, "brick": brick, "name": "x", "currency": "USD"} | fields
    )

    with pytest.raises(UnableToAgree) as refusal:
        contracts.add_line(subscription=subscription, brick=brick, price=price)
    assert fields_of(refusal) == ["price"]
    assert not Line.objects.exists()


def test_brick_that_is_not_metered_takes_a_flat_price(subscription):
    brick = make.brick(subscription.workspace, aggregation=Brick.Aggregation.NONE)

    line = contracts.add_line(subscription=subscription, brick=brick, price=make.price(brick, model="flat"))

    assert line.price.model == "flat"


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "named"),
    [
        ("2025-12-31", None, "starts_at"),
        ("2026-03-01", None, "ends_at"),
        ("2026-02-01", "2026-02-01", "ends_at"),
        ("2026-02-01", "2026-01-31", "ends_at"),
        ("2026-02-01", "2026-03-02", "ends_at"),
    ],
)
def test_line_lies_within_its_subscription(starts_at, ends_at, named):
    agreed = make.subscription(make.customer(make.workspace()), ends_on=date(2026, 3, 1))

    with pytest.raises(UnableToAgree) as refusal:
        line_of(agreed, starts_at=at(starts_at), ends_at=ends_at and at(ends_at))

    assert fields_of(refusal) == [named]


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        ("2026-01-01", None),
        ("2026-01-01", "2026-02-10"),
        ("2026-01-01", "2026-04-01"),
        ("2026-02-10", "2026-02-20"),
        ("2026-02-28 23:59:59", None),
        ("2026-02-01", "2026-03-01"),
    ],
)
def test_brick_has_one_line_at_a_time(subscription, starts_at, ends_at):
    line = line_of(subscription, starts_at=at("2026-02-01"), ends_at=at("2026-03-01"))

    with pytest.raises(UnableToAgree) as refusal:
        next_line_of(line, starts_at=at(starts_at), ends_at=ends_at and at(ends_at))

    assert fields_of(refusal) == ["brick"]
    assert Line.objects.get() == line


def test_lines_of_a_brick_may_touch(subscription):
    line = line_of(subscription, starts_at=at("2026-02-01"), ends_at=at("2026-03-01"))

    before = next_line_of(line, starts_at=at("2026-01-01"), ends_at=at("2026-02-01"))
    after = next_line_of(line, starts_at=at("2026-03-01"))

    assert [before.ends_at, after.starts_at] == [line.starts_at, line.ends_at]


def test_open_line_leaves_no_room_after_it(subscription):
    line = line_of(subscription)

    with pytest.raises(UnableToAgree):
        next_line_of(line, starts_at=at("2030-01-01"))


def test_line_cannot_begin_in_a_closed_period():
    line = make.line()
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        line_of(line.subscription, starts_at=at("2026-01-31"))
    assert fields_of(refusal) == ["starts_at"]
    assert line_of(line.subscription).starts_at == at("2026-02-01")


def test_nothing_is_added_to_a_subscription_that_is_closed_whole():
    line = make.line(ends_on=date(2026, 1, 15))
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree):
        line_of(line.subscription)


@pytest.mark.parametrize("ends_at", ["2026-01-01 00:00:01", "2026-01-15", "2026-02-01", "2027-01-01"])
def test_open_line_ends_at_a_moment(ends_at):
    line = make.line()

    ended = contracts.end_line(line=line, ends_at=at(ends_at))

    assert (ended.ends_at, Line.objects.get().ends_at) == (at(ends_at), at(ends_at))
    assert Subscription.objects.get().ends_at is None


@pytest.mark.parametrize("ends_at", ["2026-01-01", "2025-12-31"])
def test_line_ends_after_its_start(ends_at):
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=make.line(), ends_at=at(ends_at))

    assert fields_of(refusal) == ["ends_at"]
    assert Line.objects.get().ends_at is None


def test_line_ends_with_its_subscription_at_the_latest():
    line = make.line(ends_on=date(2026, 3, 1))

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-03-02"))

    assert fields_of(refusal) == ["ends_at"]


def test_line_does_not_end_in_a_closed_period():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-01-31"))
    assert fields_of(refusal) == ["ends_at"]
    assert contracts.end_line(line=line, ends_at=at("2026-02-01")).ends_at == at("2026-02-01")


def test_drafts_close_a_period_too():
    line = make.line()
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree):
        contracts.end_line(line=line, ends_at=at("2026-01-31"))


def test_line_end_in_a_closed_period_stays():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"))
    close_and_issue(line.workspace, "2026-02-01")

    for ends_at in ("2026-01-20", "2026-03-01"):
        with pytest.raises(UnableToAgree):
            contracts.end_line(line=line, ends_at=at(ends_at))

    assert Line.objects.get().ends_at == at("2026-01-15")


def test_line_end_in_the_open_period_can_be_moved_either_way():
    line = make.line()

    for ends_at in ("2026-01-15", "2026-01-20", "2026-01-10"):
        assert contracts.end_line(line=line, ends_at=at(ends_at)).ends_at == at(ends_at)


def test_line_is_not_prolonged_into_the_next_one():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"))
    next_line_of(line, starts_at=at("2026-01-20"))

    assert contracts.end_line(line=line, ends_at=at("2026-01-20")).ends_at == at("2026-01-20")
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-01-21"))
    assert fields_of(refusal) == ["brick"]


def test_recorded_usage_stands_against_an_earlier_end_until_it_is_taken_back():
    line = make.line()
    record = make.use(line, "1", "2026-01-20")

    for ends_at in ("2026-01-10", "2026-01-20"):
        with pytest.raises(UnableToAgree) as refusal:
            contracts.end_line(line=line, ends_at=at(ends_at))
        assert refusal.value.message_dict == {
            "ends_at": ["Usage was recorded up to 2026-01-20T00:00:00+00:00: retract it first."]
        }

    make.take_back(record)
    assert contracts.end_line(line=line, ends_at=at("2026-01-10")).ends_at == at("2026-01-10")


def test_line_end_just_after_the_last_usage_is_taken():
    line = make.line()
    make.use(line, "1", "2026-01-20")

    assert contracts.end_line(line=line, ends_at=at("2026-01-20 00:00:01")).ends_at == at("2026-01-20 00:00:01")


def test_corrected_usage_stands_where_it_was_moved_to():
    line = make.line()
    make.fix(make.use(line, "1", "2026-01-20"), at="2026-01-05")

    assert contracts.end_line(line=line, ends_at=at("2026-01-06")).ends_at == at("2026-01-06")


@pytest.mark.django_db(transaction=True)
def test_line_is_not_prolonged_over_one_that_is_being_added():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"))
    ended = threading.Event()

    def prolong():
        try:
            contracts.end_line(line=line, ends_at=at("2026-03-01"))
        except UnableToAgree as refusal:
            return refusal.message_dict
        finally:
            ended.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            added = next_line_of(line, starts_at=at("2026-02-01"), ends_at=at("2026-04-01"))
            refusal = pool.submit(prolong)
            # Prolonging has to wait for this transaction: half a second shows whether it does.
            ended.wait(0.5)
        assert refusal.result(timeout=30) == {"brick": ["The subscription has a line of this brick at that time."]}

    assert list(Line.objects.order_by("id").values_list("ends_at", flat=True)) == [at("2026-01-15"), added.ends_at]


def test_lines_end_with_their_subscription_and_the_last_period_is_due(subscription):
    open_line = line_of(subscription)
    longer = line_of(subscription, ends_at=at("2026-05-01"))
    shorter = line_of(subscription, ends_at=at("2026-01-05"))

    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-24"))

    assert (ended.ends_at, ended.next_close_at) == (at("2026-01-24"), at("2026-01-24"))
    assert dict(Line.objects.values_list("id", "ends_at")) == {
        open_line.pk: at("2026-01-24"),
        longer.pk: at("2026-01-24"),
        shorter.pk: at("2026-01-05"),
    }


def test_subscription_end_later_than_the_open_period_changes_no_due_date(subscription):
    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-03-10"))

    assert (ended.ends_at, ended.next_close_at) == (at("2026-03-10"), at("2026-02-01"))


@pytest.mark.parametrize("ends_at", ["2026-01-01", "2025-06-01"])
def test_subscription_ends_after_its_start(subscription, ends_at):
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=subscription, ends_at=at(ends_at))

    assert fields_of(refusal) == ["ends_at"]


def test_subscription_does_not_end_in_a_closed_period():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=line.subscription, ends_at=at("2026-01-31"))
    assert fields_of(refusal) == ["ends_at"]
    assert Subscription.objects.get().ends_at is None


def test_where_a_subscription_ends_with_the_last_closed_period_nothing_is_due():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    ended = contracts.end_subscription(subscription=line.subscription, ends_at=at("2026-02-01"))

    assert (ended.ends_at, ended.next_close_at) == (at("2026-02-01"), None)
    with pytest.raises(UnableToAgree):
        contracts.end_subscription(subscription=ended, ends_at=at("2026-03-01"))


@pytest.mark.parametrize("obstacle", ["usage", "later line"])
def test_what_stands_against_ending_a_subscription_leaves_everything_as_it_was(subscription, obstacle):
    first, second = line_of(subscription), line_of(subscription)
    if obstacle == "usage":
        make.use(second, "1", "2026-01-20")
    else:
        line_of(subscription, starts_at=at("2026-01-20"))

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-10"))

    assert fields_of(refusal) == ["ends_at"]
    assert Subscription.objects.filter(ends_at=None, next_close_at=at("2026-02-01")).count() == 1
    assert set(Line.objects.values_list("ends_at", flat=True)) == {None}
    assert first.ends_at is None


def test_subscription_end_is_moved_while_its_period_is_open(subscription):
    line = line_of(subscription)
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-24"))

    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-10"))

    assert (ended.next_close_at, Line.objects.get(pk=line.pk).ends_at) == (at("2026-01-10"), at("2026-01-10"))


def test_subscription_begins_with_its_lines_at_prices_that_there_are_or_are_made():
    workspace = make.workspace()
    calls, seats = make.brick(workspace), make.brick(workspace, "Seats", "unit_days")
    known = make.price(calls)
    terms = PriceTerms(name="Seats", model="per_unit", currency="USD", unit_price=Decimal("0.5"))

    made = make.subscription(
        make.customer(workspace),
        lines=[
            LineTerms(brick=calls, price=known, number=4711, reference="li_1"),
            LineTerms(brick=seats, price=terms, starts_at=at("2026-02-01"), ends_at=at("2026-03-01")),
        ],
    )

    first, second = made.lines.order_by("id")
    assert (first.number, first.reference, first.price, first.starts_at) == (4711, "li_1", known, made.starts_at)
    assert (second.starts_at, second.ends_at) == (at("2026-02-01"), at("2026-03-01"))
    assert (second.price.brick, second.price.name, second.price.unit_price) == (seats, "Seats", Decimal("0.5"))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"number": 0}, "lines.1.number"),
        ({"reference": "x" * 101}, "lines.1.reference"),
        ({"starts_at": at("2025-12-31")}, "lines.1.starts_at"),
        ({"price": PriceTerms(name="", model="flat", currency="USD")}, "lines.1.price.name"),
        ({"price": PriceTerms(name="x", model="flat", currency="EUR")}, "lines.1.price"),
        ({"price": PriceTerms(name="x", model="volume", currency="USD")}, "lines.1.price.tiers"),
    ],
)
def test_one_line_that_cannot_be_is_named_by_its_place_and_nothing_is_made(fields, named):
    workspace = make.workspace()
    calls, seats = make.brick(workspace), make.brick(workspace, "Seats")
    lines = [
        LineTerms(brick=calls, price=make.price(calls)),
        LineTerms(**{"brick": seats, "price": PriceTerms(name="x", model="flat", currency="USD"), **fields}),
    ]

    with pytest.raises(ValidationError) as refusal:
        make.subscription(make.customer(workspace), lines=lines)

    assert fields_of(refusal) == [named]
    assert (Subscription.objects.count(), Line.objects.count(), Price.objects.count()) == (0, 0, 1)


def test_archived_brick_gets_no_further_line_and_its_lines_go_on(subscription):
    line = line_of(subscription)
    catalog.archive_brick(brick=line.brick, as_of=at("2026-01-10"))
    contracts.end_line(line=line, ends_at=at("2026-02-01"))
    line.brick.refresh_from_db()

    with pytest.raises(UnableToAgree) as refusal:
        next_line_of(line, starts_at=at("2026-02-01"))

    assert fields_of(refusal) == ["brick"]
    assert subscription.lines.count() == 1
