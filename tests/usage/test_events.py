"""The ledger's events: who an alias names, which of several with one key counts, and what waits for a name."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import parties
from billing.models import Customer, CustomerAlias
from tests import factories as make
from tests.scenarios.closing import close
from usage import ledger
from usage.commands import CorrectUsage, Origin, RecordById, RecordByKey, ReportEvent, RetractUsage
from usage.ledger.events import matching
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def command_of(owner, alias="gx", **changes) -> ReportEvent:
    command = ReportEvent(
        origin=Origin(workspace_id=owner.pk, source="api", dialect="sequence", recorded_by="key ark_live_x"),
        customer_alias=alias,
        event_type="message-sent",
        occurred_at=make.moment(AT),
        key=None,
        properties={},
        supersedes=True,
    )
    return replace(command, **changes)


def test_an_event_keeps_what_was_sent():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    command = command_of(
        owner,
        key="m-1",
        occurred_at=make.moment("2026-01-10 08:30", tz="America/New_York"),
        properties={"length": Decimal("0.1"), "to": ["ann", None]},
    )

    told = ledger.report_event(command=command, recorded_at=make.moment("2026-01-11"))

    record = UsageRecord.objects.get()
    assert (told.id, told.handle, told.key, told.customer_id) == (record.pk, record.pk, "m-1", globex.pk)
    assert (told.occurred_at, told.recorded_at) == (make.moment("2026-01-10 13:30"), make.moment("2026-01-11"))
    assert (record.customer, record.customer_alias, record.event_type) == (globex, "gx", "message-sent")
    assert (record.line_id, record.quantity, record.kind, record.key) == (None, None, "entry", "m-1")
    assert (record.occurred_at, record.recorded_at) == (told.occurred_at, told.recorded_at)
    assert (record.source, record.dialect, record.recorded_by) == ("api", "sequence", "key ark_live_x")
    assert record.properties == told.properties == {"length": Decimal("0.1"), "to": ["ann", None]}
    assert (record.is_late, told.is_late) == (False, False)


@pytest.mark.parametrize("key", [None, "m-1"])
def test_an_event_of_a_known_alias_takes_one_statement(key):
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])

    with CaptureQueriesContext(connection) as queries:
        make.event(owner, "gx", AT, key=key)

    assert len(queries) == 1


def test_an_event_without_a_key_gets_one():
    owner = make.workspace()

    keys = {make.event(owner, "gx", AT).key for _ in range(3)}

    assert len(keys) == 3
    assert set(UsageRecord.objects.values_list("key", flat=True)) == keys


def test_alias_id_and_reference_name_a_customer_in_this_order_and_to_the_letter():
    owner = make.workspace()
    by_alias = make.customer(owner, "by alias")
    by_id = make.customer(owner, "by id")
    by_reference = make.customer(owner, "by reference", reference="C-1")
    shadowed = make.customer(owner, "shadowed")
    # Such an alias is refused now.
    CustomerAlias.objects.create(workspace=owner, customer=by_alias, value=str(shadowed.pk))
    of_nobody = make.customer(owner, "void")
    # From before nobody could be called so.
    Customer.objects.filter(pk=of_nobody.pk).update(reference="VOID")

    def named(alias: str) -> str | None:
        customer_id = make.event(owner, alias, AT).customer_id
        return None if customer_id is None else Customer.objects.get(pk=customer_id).name

    assert named(str(shadowed.pk)) == "by alias"
    assert named(str(by_id.pk)) == "by id"
    assert named("C-1") == by_reference.name
    assert [named(alias) for alias in ("c-1", " C-1", str(by_id.pk).upper(), by_id.pk.hex, "VOID")] == [None] * 5
    assert not UsageRecord.objects.filter(customer=of_nobody).exists()


def test_an_alias_of_another_workspace_names_nobody():
    owner = make.workspace()
    other = make.customer(owner.twin, aliases=["gx"], reference="C-1")

    assert [make.event(owner, alias, AT).customer_id for alias in ("gx", "C-1", str(other.pk))] == [None] * 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_alias": ""}, "customer_alias"),
        ({"customer_alias": "x" * 256}, "customer_alias"),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 256}, "event_type"),
        ({"key": ""}, "key"),
        ({"key": "x" * 256}, "key"),
        ({"properties": {"deep": Decimal("1e2000")}}, "properties"),
    ],
)
def test_what_cannot_be_kept_is_refused_on_its_field(change, field):
    owner = make.workspace()

    with pytest.raises(ledger.UnableToRecord) as refusal:
        ledger.report_event(command=command_of(owner, **change), recorded_at=make.moment(AT))

    assert refusal.value.field == field
    assert not UsageRecord.objects.exists()


def test_texts_of_255_characters_are_kept():
    longest = "ä" * 255
    command = command_of(make.workspace(), longest, event_type=longest, key=longest)

    told = ledger.report_event(command=command, recorded_at=make.moment(AT))

    record = UsageRecord.objects.get(pk=told.id)
    assert (record.customer_alias, record.event_type, record.key) == (longest,) * 3


@pytest.mark.parametrize("aliases", [(), ("gx",)])
def test_the_last_event_received_with_a_key_counts(aliases):
    owner = make.workspace()
    make.customer(owner, aliases=aliases)

    first, second, third = (make.event(owner, "gx", AT, key="m-1", length=length) for length in (1, 2, 3))

    assert [told.handle for told in (second, third)] == [first.id] * 2
    rows = UsageRecord.objects.order_by("id").values_list("kind", "origin_id", "superseded_by_id", "properties")
    assert list(rows) == [
        ("entry", None, second.id, {"length": 1}),
        ("correction", first.id, third.id, {"length": 2}),
        ("correction", first.id, None, {"length": 3}),
    ]


def test_a_key_that_does_not_supersede_is_refused_with_the_handle_of_its_record():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    first = make.event(owner, "gx", AT, key="m-1")
    make.event(owner, "gx", AT, key="m-1")

    for alias in ("gx", "unknown"):
        with pytest.raises(ledger.DuplicateKey) as refusal:
            make.event(owner, alias, AT, key="m-1", supersedes=False)
        assert refusal.value.record_id == first.id

    assert make.event(owner, "gx", AT, key="m-1", supersedes=False, dialect="native").handle != first.id


def test_an_event_does_not_supersede_a_lines_record():
    line = make.line()
    recorded = make.use(line, "1", AT, key="m-1", dialect="native")

    with pytest.raises(ledger.DuplicateKey) as refusal:
        make.event(line.workspace, "gx", AT, key="m-1", dialect="native")

    assert refusal.value.record_id == recorded.id


def test_an_event_sent_again_comes_back_after_a_retraction():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    first = make.event(owner, "gx", AT, key="m-1")
    make.take_event_back(first)

    make.event(owner, "gx", AT, key="m-1")

    assert [record.kind for record in UsageRecord.objects.live()] == ["correction"]


def test_what_comes_before_the_open_period_is_late():
    owner = make.workspace()
    line = make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner))
    other = make.customer(owner, "Initech", aliases=["in"])
    in_january = make.event(owner, "gx", AT, key="m-1")
    close(owner, "2026-02-01")

    told = {
        "before": make.event(owner, "gx", "2026-01-31 23:59:59"),
        "after": make.event(owner, "gx", "2026-02-01"),
        "of another type": make.event(owner, "gx", "2026-01-10", event_type="call"),
        "of another customer": make.event(owner, "in", "2026-01-10"),
        "moved away": make.event(owner, "gx", "2026-02-10", key="m-1"),
    }

    line.subscription.customer.refresh_from_db()
    assert not in_january.is_late
    assert line.subscription.customer.events_open_from_at == make.moment("2026-02-01")
    assert Customer.objects.get(pk=other.pk).events_open_from_at is None
    assert [name for name, event in told.items() if event.is_late] == ["before", "of another type", "moved away"]


def test_closing_marks_only_customers_whose_events_are_counted():
    line = make.line()
    close(line.workspace, "2026-02-01")

    assert Customer.objects.get().events_open_from_at is None


def test_a_subscription_that_begins_later_does_not_move_the_mark():
    owner = make.workspace()
    globex, brick = make.customer(owner, aliases=["gx"]), make.event_brick(owner)
    make.counting_line(globex, brick)
    make.counting_line(globex, brick, starts_on=make.moment("2026-07-01").date())

    close(owner, "2026-02-01")

    globex.refresh_from_db()
    assert globex.events_open_from_at == make.moment("2026-02-01")


def test_events_that_waited_go_to_the_customer_who_gets_the_name():
    owner = make.workspace()
    first = make.event(owner, "gx", AT, key="m-1", length=Decimal("1.50"))
    second = make.event(owner, "gx", "2026-01-11", key="m-2")
    make.event(owner, "GX", AT)
    make.take_event_back(make.event(owner, "gx", AT, key="m-3"))
    make.event(owner.twin, "gx", AT)

    globex = make.customer(owner, aliases=["gx"])

    matches = UsageRecord.objects.filter(kind="match").order_by("id")
    assert [(row.origin_id, row.key, row.customer) for row in matches] == [
        (first.id, "m-1", globex),
        (second.id, "m-2", globex),
    ]
    assert [UsageRecord.objects.get(pk=told.id).superseded_by_id for told in (first, second)] == [
        row.pk for row in matches
    ]
    match, former = matches[0], UsageRecord.objects.get(pk=first.id)
    for field in ("workspace_id", "customer_alias", "event_type", "occurred_at", "recorded_at", "source", "dialect"):
        assert getattr(match, field) == getattr(former, field)
    assert (match.properties, match.recorded_by) == ({"length": Decimal("1.50")}, "matched when the name was given")
    assert UsageRecord.objects.unmatched().count() == 2


def test_events_are_matched_by_id_reference_and_alias_whenever_they_are_given():
    owner = make.workspace()
    known = "7f0c6a52-52a8-4f5a-8c7e-0a1f8d2f4f11"
    names = [known, "C-1", "gx", "added", "changed", "C-2"]
    for name in names:
        make.event(owner, name, AT)

    def waiting() -> list[str | None]:
        return list(UsageRecord.objects.unmatched().order_by("id").values_list("customer_alias", flat=True))

    globex = make.customer(owner, id=known, reference="C-1", aliases=["gx"])
    assert waiting() == ["added", "changed", "C-2"]
    alias = parties.add_alias(customer=globex, value="added")
    assert waiting() == ["changed", "C-2"]
    parties.update_alias(alias=alias, value="changed")
    assert waiting() == ["C-2"]
    parties.update_customer(customer=globex, reference="C-2")
    assert waiting() == []
    assert set(UsageRecord.objects.live().values_list("customer", flat=True)) == {globex.pk}


def test_matching_is_set_based(monkeypatch):
    monkeypatch.setattr(matching, "BATCH", 4)
    owner = make.workspace()
    globex = make.customer(owner)
    for number in range(10):
        make.event(owner, "gx", AT, key=f"m-{number}")

    with CaptureQueriesContext(connection) as queries:
        parties.add_alias(customer=globex, value="gx")

    of_matching = [query for query in queries if "usage_usagerecord" in query["sql"]]
    ids = [query for query in of_matching if "nextval" in query["sql"] or "sqlite_sequence" in query["sql"]]
    # Which wait; and in three batches: their ids, the formers, the matches.
    assert len(of_matching) - len(ids) == 1 + 3 * 2
    assert len(queries) <= 30
    assert UsageRecord.objects.filter(kind="match", customer=globex).count() == 10
    assert not UsageRecord.objects.unmatched().exists()


def test_void_names_nobody_and_never_waits():
    owner = make.workspace()
    make.event(owner, "VOID", AT)

    with pytest.raises(ValidationError, match="names nobody"):
        make.customer(owner, reference="VOID")

    assert UsageRecord.objects.get().customer is None
    assert not UsageRecord.objects.unmatched().exists()


def test_former_names_change_nothing_that_was_recorded():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    told = make.event(owner, "gx", AT)
    initech = make.customer(owner, "Initech")

    parties.update_alias(alias=globex.aliases.get(), customer=initech)

    assert UsageRecord.objects.get(pk=told.id).customer == globex
    assert make.event(owner, "gx", AT).customer_id == initech.pk
    parties.remove_alias(alias=initech.aliases.get())
    assert make.event(owner, "gx", AT).customer_id is None
    assert UsageRecord.objects.count() == 3


def test_correction_of_an_event_keeps_its_customer_and_key():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    told = make.event(owner, "gx", AT, key="m-1", length=5)

    change = make.fix_event(told, occurred_at=make.moment("2026-01-12"), properties={"length": 6})

    record = UsageRecord.objects.live().get()
    assert (change.id, change.handle, change.key) == (record.pk, told.id, "m-1")
    assert (record.customer, record.customer_alias, record.event_type) == (globex, "gx", "message-sent")
    assert (record.kind, record.occurred_at, record.properties) == (
        "correction",
        make.moment("2026-01-12"),
        {"length": 6},
    )
    assert (record.recorded_by, record.note, record.dialect) == ("finance", "typing error", "sequence")


@pytest.mark.parametrize("aliases", [(), ("gx",)])
def test_a_retracted_event_counts_no_longer_and_keeps_its_key(aliases):
    owner = make.workspace()
    make.customer(owner, aliases=aliases)
    told = make.event(owner, "gx", AT, key="m-1")

    make.take_event_back(told)

    assert not UsageRecord.objects.live().exists()
    with pytest.raises(ledger.DuplicateKey):
        make.event(owner, "gx", AT, key="m-1", supersedes=False)
    with pytest.raises(ledger.RecordNotFound):
        make.take_event_back(told)


def test_an_event_has_no_quantity_to_correct():
    owner = make.workspace()
    told = make.event(owner, "gx", AT)

    with pytest.raises(ledger.QuantityRefused):
        make.fix_event(told, quantity=Decimal(1))


def test_lines_records_and_events_are_changed_each_by_its_own_function():
    line = make.line()
    origin = Origin(workspace_id=line.workspace_id, source="panel", dialect="panel", recorded_by="finance")
    used = RecordById(make.use(line, "1", AT).id)
    reported = RecordById(make.event(line.workspace, "gx", AT, key="m-1").id)
    at = make.moment(AT)

    for wrong in (reported, RecordByKey("sequence", "m-1")):
        with pytest.raises(ledger.RecordNotFound):
            ledger.retract(command=RetractUsage(origin=origin, target=wrong), recorded_at=at)
        with pytest.raises(ledger.RecordNotFound):
            ledger.correct(command=CorrectUsage(origin=origin, target=wrong), recorded_at=at)
    with pytest.raises(ledger.RecordNotFound):
        ledger.retract_event(command=RetractUsage(origin=origin, target=used), recorded_at=at)

    assert UsageRecord.objects.live().count() == 2
