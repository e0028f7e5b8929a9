import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing import contracts, invoicing
from billing.catalog import PriceTerms
from billing.contracts import LineTerms, UnableToAgree
from billing.models import Line, Price, Subscription
from tests import factories as make
from tests.billing.contracts.agreed import fields_of, line_of, next_line_of
from tests.scenarios.closing import close, close_and_issue, totals
from usage import closing, ledger

pytestmark = pytest.mark.django_db

at = make.moment


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


def test_lines_end_with_their_subscription_and_the_last_period_is_due(subscription):
    open_line = line_of(subscription)
    longer = line_of(subscription, ends_at=at("2026-05-01"))
    shorter = line_of(subscription, ends_at=at("2026-01-05"))

    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-24"), actor=make.ACTOR)

    assert (ended.ends_at, ended.next_close_at) == (at("2026-01-24"), at("2026-01-24"))
    assert dict(Line.objects.values_list("id", "ends_at")) == {
        open_line.pk: at("2026-01-24"),
        longer.pk: at("2026-01-24"),
        shorter.pk: at("2026-01-05"),
    }


def test_subscription_end_later_than_the_open_period_changes_no_due_date(subscription):
    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-03-10"), actor=make.ACTOR)

    assert (ended.ends_at, ended.next_close_at) == (at("2026-03-10"), at("2026-02-01"))


def test_subscription_does_not_end_before_its_start(subscription):
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=subscription, ends_at=at("2025-06-01"), actor=make.ACTOR)

    assert refusal.value.message_dict == {"ends_at": ["The end is before the start."]}


def test_prolonging_a_subscription_prolongs_the_lines_that_ended_with_it():
    # Until 1 February, then 1 March: February's usage of the line that went on is taken, and 3 units are billed at $2.
    subscription = make.subscription(make.customer(make.workspace()), ends_on=date(2026, 2, 1))
    going_on, ended_before = line_of(subscription), line_of(subscription, ends_at=at("2026-01-20"))

    contracts.end_subscription(subscription=subscription, ends_at=at("2026-03-01"), actor=make.ACTOR)

    ends = dict(Line.objects.values_list("pk", "ends_at"))
    assert ends == {going_on.pk: at("2026-03-01"), ended_before.pk: at("2026-01-20")}
    make.use(going_on, "3", "2026-02-10")
    close_and_issue(subscription.workspace, "2026-03-01")
    assert totals(subscription.workspace) == ["0.00", "6.00"]


@pytest.mark.parametrize("later", [None, "2026-06-01"])
def test_lines_that_ended_of_themselves_are_known_when_a_subscription_is_prolonged(subscription, later):
    """Told: the line that was ended at the very day, and an earlier one. Not: what goes on, or is followed."""
    going_on, cut_short = line_of(subscription), line_of(subscription, ends_at=at("2026-04-01"))
    same_day = line_of(subscription, ends_at=at("2026-02-01"))
    earlier = line_of(subscription, ends_at=at("2026-01-10"))
    followed = line_of(subscription, ends_at=at("2026-01-20"))
    next_line_of(followed, starts_at=at("2026-01-25"))
    voided = line_of(subscription)
    contracts.end_line(line=voided, ends_at=voided.starts_at, actor=make.ACTOR)
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-02-01"), actor=make.ACTOR)

    ended = contracts.end_subscription(subscription=subscription, ends_at=later and at(later), actor=make.ACTOR)

    assert contracts.staying_ended(subscription=ended, former_end=at("2026-02-01")) == [same_day, earlier]
    ends = dict(Line.objects.values_list("pk", "ends_at"))
    assert (ends[going_on.pk], ends[cut_short.pk]) == (later and at(later), at("2026-04-01"))


@pytest.mark.parametrize(("former", "now"), [(None, None), (None, "2026-02-01"), ("2026-03-01", "2026-02-01")])
def test_a_subscription_that_was_not_prolonged_leaves_no_line_behind(subscription, former, now):
    line_of(subscription, ends_at=at("2026-01-10"))

    ended = contracts.end_subscription(subscription=subscription, ends_at=now and at(now), actor=make.ACTOR)

    assert contracts.staying_ended(subscription=ended, former_end=former and at(former)) == []


def test_an_end_is_taken_back_with_those_of_the_lines_that_had_it(subscription):
    open_line, shorter = line_of(subscription), line_of(subscription, ends_at=at("2026-01-05"))
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-24"), actor=make.ACTOR)

    going_on = contracts.end_subscription(subscription=subscription, ends_at=None, actor=make.ACTOR)

    assert (going_on.ends_at, going_on.next_close_at) == (None, at("2026-02-01"))
    ends = dict(Line.objects.values_list("pk", "ends_at"))
    assert ends == {open_line.pk: None, shorter.pk: at("2026-01-05")}


def test_shortening_again_moves_the_lines_back(subscription):
    line = line_of(subscription)
    for ends_at in ("2026-05-01", "2026-03-01", "2026-04-01"):
        contracts.end_subscription(subscription=subscription, ends_at=at(ends_at), actor=make.ACTOR)
        assert Line.objects.get(pk=line.pk).ends_at == at(ends_at)


@pytest.mark.parametrize("later", [None, "2026-06-01"])
@pytest.mark.parametrize("cuts", [["2026-02-01"], ["2026-02-10", "2026-01-20", "2026-02-01"], ["2026-03-01"]])
def test_a_line_that_was_cut_short_with_its_subscription_goes_on_to_its_own_end(subscription, cuts, later):
    # Flat, $28 a month: January, February and nothing from 1 March on, whatever the subscription did meanwhile.
    brick = make.brick(subscription.workspace, aggregation="none")
    line = contracts.add_line(
        subscription=subscription, brick=brick, price=make.price(brick, "28", model="flat"), actor=make.ACTOR
    )
    going_on = line_of(subscription)
    contracts.end_line(line=line, ends_at=at("2026-03-01"), actor=make.ACTOR)
    for cut in cuts:
        contracts.end_subscription(subscription=subscription, ends_at=at(cut), actor=make.ACTOR)

    contracts.end_subscription(subscription=subscription, ends_at=later and at(later), actor=make.ACTOR)

    ends = dict(Line.objects.values_list("pk", "ends_at"))
    assert ends == {line.pk: at("2026-03-01"), going_on.pk: later and at(later)}
    close_and_issue(subscription.workspace, "2026-04-01")
    assert totals(subscription.workspace) == ["28.00", "28.00", "0.00"]


def test_the_next_line_of_a_brick_still_has_its_place_after_a_cut(subscription):
    former = line_of(subscription, ends_at=at("2026-02-15"))
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-02-01"), actor=make.ACTOR)
    contracts.end_subscription(subscription=subscription, ends_at=None, actor=make.ACTOR)

    following = next_line_of(former, starts_at=at("2026-02-15"))

    assert dict(Line.objects.values_list("pk", "ends_at")) == {former.pk: at("2026-02-15"), following.pk: None}


def test_a_line_that_another_follows_does_not_go_on_over_it():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"), actor=make.ACTOR)
    next_line_of(line, starts_at=at("2026-01-15"))

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=None, actor=make.ACTOR)
    assert fields_of(refusal) == ["brick"]


def test_a_subscription_made_by_mistake_is_voided_with_its_lines_and_nothing_is_billed():
    workspace = make.workspace()
    brick = make.brick(workspace, aggregation="none")
    price = make.price(brick, "31", model="flat")
    customer = make.customer(workspace)
    wrong = make.subscription(customer, reference="sub_1")
    for starts_at in (None, at("2026-01-10")):
        ends_at = None if starts_at else at("2026-01-10")
        contracts.add_line(
            subscription=wrong,
            brick=brick,
            price=price,
            starts_at=starts_at,
            ends_at=ends_at,
            reference=f"li{ends_at}",
            actor=make.ACTOR,
        )

    voided = contracts.end_subscription(subscription=wrong, ends_at=at("2026-01-01"), actor=make.ACTOR)

    assert (voided.is_voided, voided.next_close_at, voided.reference) == (True, None, None)
    assert {(line.is_voided, line.reference) for line in Line.objects.all()} == {(True, None)}
    with pytest.raises(closing.NothingToClose):
        close(workspace, "2026-03-01")
    # The right one takes its place, under its name.
    right = make.subscription(customer, reference="sub_1")
    contracts.add_line(subscription=right, brick=brick, price=price, actor=make.ACTOR)
    close_and_issue(workspace, "2026-02-01")
    assert totals(workspace) == ["31.00"]


def test_a_voided_subscription_stays_so(subscription):
    line = line_of(subscription)
    contracts.end_subscription(subscription=subscription, ends_at=subscription.starts_at, actor=make.ACTOR)

    for change in (
        lambda: contracts.end_subscription(subscription=subscription, ends_at=at("2026-03-01"), actor=make.ACTOR),
        lambda: contracts.end_line(line=line, ends_at=at("2026-03-01"), actor=make.ACTOR),
        lambda: line_of(subscription),
    ):
        with pytest.raises(UnableToAgree, match="voided"):
            change()
    with pytest.raises(ledger.OutsideLine):
        make.use(line, "1", "2026-01-01")


def test_what_has_usage_or_is_closed_is_not_voided(subscription):
    used = line_of(subscription)
    record = make.use(used, "1", "2026-01-01")
    with pytest.raises(UnableToAgree, match="Usage was recorded"):
        contracts.end_subscription(subscription=subscription, ends_at=subscription.starts_at, actor=make.ACTOR)
    make.take_back(record)
    close_and_issue(subscription.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=subscription, ends_at=subscription.starts_at, actor=make.ACTOR)

    assert refusal.value.message_dict == {"ends_at": ["Periods before 2026-02-01T00:00:00+00:00 are closed."]}
    assert not Subscription.objects.get(pk=subscription.pk).is_voided


def test_what_is_only_drafted_is_told_by_the_run_to_discard(subscription):
    line = line_of(subscription)
    run = close(subscription.workspace, "2026-02-01")
    why = f"Periods before 2026-02-01T00:00:00+00:00 are drafted in {run}: discard these first."

    for change in (
        lambda: contracts.end_subscription(subscription=subscription, ends_at=subscription.starts_at, actor=make.ACTOR),
        lambda: contracts.end_line(line=line, ends_at=at("2026-01-20"), actor=make.ACTOR),
    ):
        with pytest.raises(UnableToAgree) as refusal:
            change()
        assert refusal.value.message_dict == {"ends_at": [why]}
    with pytest.raises(UnableToAgree) as refusal:
        line_of(subscription, starts_at=at("2026-01-20"))
    assert refusal.value.message_dict == {"starts_at": [why]}

    invoicing.discard(run=run, actor=make.actor("finance"), as_of=at("2026-02-02"))
    assert contracts.end_subscription(
        subscription=subscription, ends_at=subscription.starts_at, actor=make.ACTOR
    ).is_voided


def test_a_draft_after_what_is_issued_opens_nothing_of_it(subscription):
    line_of(subscription)
    close_and_issue(subscription.workspace, "2026-02-01")
    run = close(subscription.workspace, "2026-03-01")

    with pytest.raises(UnableToAgree, match="are closed"):
        contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-20"), actor=make.ACTOR)
    with pytest.raises(UnableToAgree, match=f"drafted in {run}:"):
        contracts.end_subscription(subscription=subscription, ends_at=at("2026-02-20"), actor=make.ACTOR)


def test_subscription_does_not_end_in_a_closed_period():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=line.subscription, ends_at=at("2026-01-31"), actor=make.ACTOR)
    assert fields_of(refusal) == ["ends_at"]
    assert Subscription.objects.get().ends_at is None


def test_where_a_subscription_ends_with_the_last_closed_period_nothing_is_due():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    ended = contracts.end_subscription(subscription=line.subscription, ends_at=at("2026-02-01"), actor=make.ACTOR)

    assert (ended.ends_at, ended.next_close_at) == (at("2026-02-01"), None)
    with pytest.raises(UnableToAgree):
        contracts.end_subscription(subscription=ended, ends_at=at("2026-03-01"), actor=make.ACTOR)


@pytest.mark.parametrize("obstacle", ["usage", "later line"])
def test_what_stands_against_ending_a_subscription_leaves_everything_as_it_was(subscription, obstacle):
    first, second = line_of(subscription), line_of(subscription)
    if obstacle == "usage":
        make.use(second, "1", "2026-01-20")
    else:
        line_of(subscription, starts_at=at("2026-01-20"))

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-10"), actor=make.ACTOR)

    assert fields_of(refusal) == ["ends_at"]
    assert Subscription.objects.filter(ends_at=None, next_close_at=at("2026-02-01")).count() == 1
    assert set(Line.objects.values_list("ends_at", flat=True)) == {None}
    assert first.ends_at is None


def test_subscription_end_is_moved_while_its_period_is_open(subscription):
    line = line_of(subscription)
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-24"), actor=make.ACTOR)

    ended = contracts.end_subscription(subscription=subscription, ends_at=at("2026-01-10"), actor=make.ACTOR)

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
