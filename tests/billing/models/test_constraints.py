"""Each constraint of the database, broken on purpose behind the domain's back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F

from billing import contracts
from billing.keys import create_key
from billing.models import (
    AllowedOrigin,
    ApiKeyUse,
    BillingPeriod,
    CloseItem,
    CloseRun,
    CustomerAlias,
    EventRule,
    Invoice,
    InvoiceLine,
    Name,
    NumberSeries,
)
from tests import factories as make
from usage.models import Matching, StoredReply, UsageCount, UsageRecord

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

CONSTRAINTS: dict[str, tuple[Any, Any]] = {
    constraint.name: (model, constraint)
    for label in ("billing", "usage")
    for model in apps.get_app_config(label).get_models()
    for constraint in model._meta.constraints
}

Break = Callable[[Any], object]


def spoil(row: models.Model, **changes: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**changes)


def duplicate(row: models.Model, **changes: Any) -> None:
    copied = {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key
    }
    copy = type(row)(**copied)
    for name, value in changes.items():
        setattr(copy, name, value)
    copy.save(force_insert=True)


def invoice(world: SimpleNamespace, **fields: Any) -> Invoice:
    return Invoice.objects.create(
        **{
            "workspace": world.live,
            "customer": world.customer,
            "subscription": world.subscription,
            "run": world.run,
            "kind": "invoice",
            "currency": "USD",
            "total": Decimal(0),
            "starts_at": START,
            "ends_at": END,
            "cutoff": 0,
        }
        | fields
    )


def another_run(world: SimpleNamespace) -> CloseRun:
    duplicate(world.run)
    return CloseRun.objects.latest("pk")


def add_contract(world: SimpleNamespace) -> None:
    world.live = make.workspace()
    world.twin = world.live.twin
    world.key, _ = create_key(workspace=world.live, name="a service", actor=make.actor("tests"))
    world.use = ApiKeyUse.objects.create(workspace=world.live, api_key=world.key, last_used_at=START)
    world.allowed = AllowedOrigin.objects.create(workspace=world.live, origin="https://app.example.com")
    world.customer = make.customer(world.live, reference="c-1")
    world.alias = CustomerAlias.objects.create(workspace=world.live, customer=world.customer, value="globex-eu")
    world.name = Name.objects.get(workspace=world.live, text="c-1")
    world.brick = make.brick(world.live, reference="b-1")
    world.rule = EventRule.objects.create(
        workspace=world.live, brick=world.brick, event_type="call", aggregation="count", replaced_at=None
    )
    world.price = make.price(world.brick)
    world.tiered = make.price(world.brick, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    world.tier, world.open_tier = world.tiered.tiers.order_by("id")
    world.subscription = make.subscription(world.customer, reference="s-1")
    world.line = contracts.add_line(
        subscription=world.subscription, brick=world.brick, price=world.price, reference="l-1", actor=make.ACTOR
    )
    other = make.brick(world.live, name="Seats")
    world.other_line = contracts.add_line(
        subscription=world.subscription, brick=other, price=make.price(other), reference="l-2", actor=make.ACTOR
    )


def add_invoices(world: SimpleNamespace) -> None:
    world.run = CloseRun.objects.create(
        workspace=world.live, until_at=END, started_by="finance", started_at=END, heartbeat_at=END
    )
    world.item = CloseItem.objects.create(workspace=world.live, run=world.run, subscription=world.subscription)
    world.period = BillingPeriod.objects.create(
        workspace=world.live, subscription=world.subscription, run=world.run, starts_at=START, ends_at=END
    )
    world.issued = invoice(
        world, period=world.period, state="issued", number="INV-000001", sequence=1, issued_at=END, document="{}"
    )
    world.draft = invoice(world, cutoff=1)
    world.invoice_line = InvoiceLine.objects.create(
        workspace=world.live,
        invoice=world.issued,
        position=1,
        line=world.line,
        price=world.price,
        kind="usage",
        description="API calls",
        starts_at=START,
        ends_at=END,
        days=31,
        of_days=31,
        cutoff=0,
        quantity=Decimal(0),
        record_count=0,
        rated=Decimal(0),
        billed_before=Decimal(0),
        amount=Decimal(0),
        steps=[],
    )
    world.series = NumberSeries.objects.get(workspace=world.live, kind="invoice")


def add_records(world: SimpleNamespace) -> None:
    world.matching = Matching.objects.create(
        workspace=world.live, customer=world.customer, name="globex", after_id=1, until_id=2
    )
    world.reply = StoredReply.objects.create(
        workspace=world.live, api_key=world.key, key="r-1", fingerprint="f", status=201, created_at=START
    )
    world.entry = UsageRecord.objects.get(pk=make.use(world.line, "1", "2026-01-05", key="k-1").id)
    second = make.use(world.line, "2", "2026-01-06", key="k-2")
    world.correction = UsageRecord.objects.get(pk=make.fix(second, "3").id)


@pytest.fixture
def world() -> SimpleNamespace:
    """One sound row of every kind."""
    made = SimpleNamespace()
    add_contract(made)
    add_invoices(made)
    add_records(made)
    return made


BREAKS: list[tuple[str, Break]] = [
    ("billing_workspace_code_is_unique", lambda w: duplicate(w.live)),
    ("billing_workspace_is_live_or_a_twin", lambda w: spoil(w.live, live=w.twin)),
    ("billing_workspace_is_live_or_a_twin", lambda w: spoil(w.twin, live=None)),
    ("billing_api_key_digest_is_unique", lambda w: duplicate(w.key, workspace=w.twin)),
    ("billing_api_key_has_one_use", lambda w: duplicate(w.use, last_used_at=END)),
    ("billing_api_key_rate_is_positive", lambda w: spoil(w.key, requests_per_minute=0)),
    ("billing_allowed_origin_is_unique", lambda w: duplicate(w.allowed)),
    ("billing_customer_reference_is_unique", lambda w: duplicate(w.customer)),
    ("billing_customer_reference_is_not_empty", lambda w: spoil(w.customer, reference="")),
    ("billing_name_names_one_thing", lambda w: duplicate(w.name, owner="another")),
    ("billing_name_is_not_empty", lambda w: spoil(w.name, text="")),
    ("billing_customer_alias_is_unique", lambda w: duplicate(w.alias)),
    ("billing_customer_alias_is_not_empty", lambda w: spoil(w.alias, value="")),
    ("billing_brick_reference_is_unique", lambda w: duplicate(w.brick)),
    ("billing_brick_reference_is_not_empty", lambda w: spoil(w.brick, reference="")),
    ("billing_brick_has_one_event_rule", lambda w: duplicate(w.rule)),
    ("billing_event_rule_names_what_it_adds", lambda w: spoil(w.rule, aggregation="sum")),
    ("billing_event_rule_names_its_event", lambda w: spoil(w.rule, event_type="")),
    ("billing_event_rule_is_folded_where_case_is_ignored", lambda w: spoil(w.rule, folded_filters={})),
    ("billing_event_rule_is_folded_where_case_is_ignored", lambda w: spoil(w.rule, is_case_sensitive=False)),
    ("billing_price_is_not_negative", lambda w: spoil(w.price, unit_price=Decimal("-1E-12"))),
    ("billing_tiered_price_has_no_unit_price", lambda w: spoil(w.tiered, unit_price=Decimal("1E-12"))),
    ("billing_tiered_price_has_no_unit_price", lambda w: spoil(w.price, model="volume")),
    ("billing_price_tier_bound_is_unique", lambda w: duplicate(w.tier)),
    ("billing_price_tier_bound_is_unique", lambda w: duplicate(w.tier, up_to=Decimal("10.0"))),
    ("billing_price_has_one_open_tier", lambda w: duplicate(w.open_tier)),
    ("billing_price_tier_bound_is_positive", lambda w: spoil(w.tier, up_to=0)),
    ("billing_price_tier_bound_is_positive", lambda w: spoil(w.tier, up_to=-10)),
    ("billing_price_tier_is_not_negative", lambda w: spoil(w.tier, unit_price=-10)),
    ("billing_price_tier_is_not_negative", lambda w: spoil(w.open_tier, fee=Decimal("-0.1"))),
    ("billing_subscription_reference_is_unique", lambda w: duplicate(w.subscription)),
    ("billing_subscription_reference_is_not_empty", lambda w: spoil(w.subscription, reference="")),
    (
        "billing_subscription_does_not_end_before_its_start",
        lambda w: spoil(w.subscription, ends_at=START - timedelta(microseconds=1)),
    ),
    ("billing_subscription_pointers_are_in_order", lambda w: spoil(w.subscription, open_from_at=START - SECOND)),
    ("billing_subscription_pointers_are_in_order", lambda w: spoil(w.subscription, next_close_at=START)),
    ("billing_line_number_is_unique", lambda w: spoil(w.other_line, number=w.line.number)),
    ("billing_line_number_is_in_range", lambda w: spoil(w.line, number=0)),
    ("billing_line_number_is_in_range", lambda w: spoil(w.line, number=2**53)),
    ("billing_line_reference_is_unique", lambda w: spoil(w.other_line, reference="l-1")),
    ("billing_line_reference_is_not_empty", lambda w: spoil(w.line, reference="")),
    ("billing_line_start_is_unique", lambda w: duplicate(w.line, number=99, reference=None, ends_at=END)),
    ("billing_brick_has_one_open_line", lambda w: duplicate(w.line, number=99, reference=None, starts_at=END)),
    (
        "billing_line_does_not_end_before_its_start",
        lambda w: spoil(w.line, ends_at=START - timedelta(microseconds=1)),
    ),
    (
        "billing_line_does_not_end_after_its_own_end",
        lambda w: spoil(w.line, own_ends_at=w.line.starts_at + timedelta(days=1)),
    ),
    ("billing_line_cutoff_is_not_negative", lambda w: spoil(w.line, cutoff=-1)),
    *(
        (
            f"billing_line_{limit}_limit_is_a_quantity_or_an_amount",
            lambda w, limit=limit: spoil(
                w.line, **{f"{limit}_limit_quantity": Decimal(1), f"{limit}_limit_amount": Decimal(1)}
            ),
        )
        for limit in ("soft", "hard")
    ),
    *(
        (f"billing_line_{limit}_is_positive", lambda w, limit=limit: spoil(w.line, **{limit: Decimal(0)}))
        for limit in ("soft_limit_quantity", "soft_limit_amount", "hard_limit_quantity", "hard_limit_amount")
    ),
    ("billing_close_item_is_unique", lambda w: duplicate(w.item, state="done", holds_subscription=False)),
    ("billing_close_item_holds_its_subscription_alone", lambda w: duplicate(w.item, run=another_run(w))),
    ("billing_close_item_holds_while_pending_not_when_parked", lambda w: spoil(w.item, holds_subscription=False)),
    (
        "billing_close_item_holds_while_pending_not_when_parked",
        lambda w: spoil(w.item, state="parked", reason="no price"),
    ),
    (
        "billing_close_item_is_parked_with_a_reason",
        lambda w: spoil(w.item, state="parked", holds_subscription=False),
    ),
    ("billing_close_item_is_parked_with_a_reason", lambda w: spoil(w.item, reason="no price")),
    (
        "billing_close_run_has_no_problem_once_it_is_over",
        lambda w: spoil(w.run, state="issued", problem="no number"),
    ),
    ("billing_period_of_a_subscription_is_unique", lambda w: duplicate(w.period, ends_at=END + SECOND)),
    ("billing_period_ends_after_its_start", lambda w: spoil(w.period, ends_at=START)),
    ("billing_period_has_one_invoice", lambda w: duplicate(w.issued, sequence=2, number="INV-000002")),
    ("billing_invoice_number_is_unique", lambda w: duplicate(w.issued, period=None, cutoff=2, sequence=2)),
    ("billing_invoice_sequence_is_unique", lambda w: duplicate(w.issued, period=None, cutoff=2, number="INV-000002")),
    ("billing_differences_are_billed_once", lambda w: duplicate(w.draft)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.draft, number="INV-000002")),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.draft, sequence=2)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.draft, issued_at=END)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.draft, document="{}")),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.draft, state="issued")),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.issued, number=None)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.issued, sequence=None)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.issued, issued_at=None)),
    ("billing_invoice_has_a_number_when_issued", lambda w: spoil(w.issued, document="")),
    ("billing_negative_total_is_a_credit_note", lambda w: spoil(w.draft, total=Decimal("-0.01"))),
    ("billing_negative_total_is_a_credit_note", lambda w: spoil(w.draft, kind="credit_note")),
    ("billing_negative_total_is_a_credit_note", lambda w: spoil(w.draft, kind="credit_note", total=10)),
    ("billing_invoice_ends_after_its_start", lambda w: spoil(w.draft, ends_at=F("starts_at"))),
    ("billing_invoice_line_position_is_unique", lambda w: duplicate(w.invoice_line, line=w.other_line)),
    ("billing_usage_is_billed_once_per_cutoff", lambda w: duplicate(w.invoice_line, position=2, kind="true_up")),
    ("billing_usage_of_a_period_is_billed_once", lambda w: duplicate(w.invoice_line, invoice=w.draft, cutoff=1)),
    ("billing_invoice_line_ends_after_its_start", lambda w: spoil(w.invoice_line, ends_at=F("starts_at"))),
    ("billing_invoice_line_days_are_in_order", lambda w: spoil(w.invoice_line, days=0, of_days=0)),
    ("billing_invoice_line_days_are_in_order", lambda w: spoil(w.invoice_line, days=32)),
    ("billing_number_series_is_unique", lambda w: duplicate(w.series)),
    ("usage_record_key_is_unique_while_live", lambda w: duplicate(w.entry)),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, line=None)),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, quantity=None)),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, customer_alias="globex", event_type="login")),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, line=None, customer_alias="globex")),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, line=None, event_type="login")),
    ("usage_record_is_superseded_by_a_later_one", lambda w: spoil(w.entry, superseded_by=w.entry)),
    ("usage_record_is_superseded_by_a_later_one", lambda w: spoil(w.correction, superseded_by=w.entry)),
    ("usage_record_origin_is_known_of_a_change", lambda w: spoil(w.entry, origin=w.correction)),
    ("usage_record_origin_is_known_of_a_change", lambda w: spoil(w.correction, origin=None)),
    ("usage_record_origin_is_known_of_a_change", lambda w: spoil(w.entry, kind="deletion")),
    ("usage_record_key_is_not_empty", lambda w: spoil(w.entry, key="")),
    ("usage_record_has_one_address", lambda w: spoil(w.entry, customer=w.customer)),
    ("usage_record_supersedes_one", lambda w: spoil(w.entry, superseded_by=w.correction)),
    ("usage_matching_is_finished_when_done", lambda w: spoil(w.matching, state="done")),
    ("usage_matching_is_finished_when_done", lambda w: spoil(w.matching, finished_at=START)),
    ("usage_matching_is_about_events", lambda w: spoil(w.matching, until_id=1)),
    ("usage_stored_reply_key_is_unique", lambda w: duplicate(w.reply)),
    (
        "usage_count_goes_on",
        lambda w: UsageCount.objects.create(workspace=w.entry.workspace, record_id=5, next_id=5),
    ),
]


def complaint(error):
    return error.__cause__.diag.constraint_name if connection.vendor == "postgresql" else str(error)


def expected_complaint(name):
    if connection.vendor == "postgresql":
        return name
    model, constraint = CONSTRAINTS[name]
    if isinstance(constraint, models.CheckConstraint):
        return f"CHECK constraint failed: {name}"
    # SQLite names the columns of a unique constraint, which differ from constraint to constraint.
    columns = [f"{model._meta.db_table}.{model._meta.get_field(field).column}" for field in constraint.fields]
    return f"UNIQUE constraint failed: {', '.join(columns)}"


@pytest.mark.parametrize(("name", "break_it"), BREAKS, ids=[name for name, _ in BREAKS])
def test_database_refuses(world, name, break_it):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        break_it(world)

    assert complaint(refusal.value) == expected_complaint(name)


def test_every_constraint_is_broken_here():
    assert sorted({name for name, _ in BREAKS}) == sorted(CONSTRAINTS)


def test_complaints_tell_the_constraints_apart():
    assert len({expected_complaint(name) for name in CONSTRAINTS}) == len(CONSTRAINTS)


@pytest.mark.parametrize(
    "mend",
    [
        pytest.param(lambda w: duplicate(w.customer, workspace=w.twin), id="the twin has the same customer"),
        pytest.param(lambda w: duplicate(w.customer, reference=None), id="customer without a reference"),
        pytest.param(lambda w: duplicate(w.entry, dialect="rebilly"), id="the same key in another dialect"),
        pytest.param(lambda w: duplicate(w.entry, key=None), id="record without a key"),
        pytest.param(lambda w: duplicate(w.draft, cutoff=2), id="differences up to another cutoff"),
        pytest.param(lambda w: spoil(w.draft, kind="credit_note", total=-10), id="negative credit note"),
        pytest.param(
            lambda w: duplicate(w.issued, period=None, cutoff=2, kind="credit_note", total=-1, number="CN-1"),
            id="the same sequence in the other series",
        ),
    ],
)
def test_database_takes_what_only_looks_alike(world, mend):
    mend(world)


def test_a_period_has_one_invoice(world):
    with pytest.raises(IntegrityError), transaction.atomic():
        spoil(world.draft, period=world.period)
