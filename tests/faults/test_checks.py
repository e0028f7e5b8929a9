"""Each check detects its fault in books where only one thing is wrong."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import CloseItem, CloseRun, Invoice, InvoiceLine, Workspace
from tests import factories as make
from tests.faults import checks
from tests.faults.journal import ACKNOWLEDGED, REFUSED, UNKNOWN, Entry, Journal
from tests.faults.setting import NOBODYS_NAME, VOID, Setting, build
from tests.scenarios.closing import close_and_issue
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage, ReportEvent
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

TODAY = date(2026, 6, 10)


@pytest.fixture
def setting() -> Setting:
    return build("faults", today=TODAY, customers=2)


def entry(day: int, quantity: str, *, subscription: int | None = 0, is_event: bool = False, **fields: object) -> Entry:
    moment = datetime(2026, 2, day, 12, tzinfo=UTC)
    dialect = "sequence" if is_event else "native"
    return Entry(moment, subscription, is_event, Decimal(quantity), dialect, fate=ACKNOWLEDGED, **fields)  # type: ignore[arg-type]


def recorded(setting: Setting, one: Entry) -> ledger.Recorded | ledger.RecordedEvent:
    """Record in the ledger what an entry says was acknowledged."""
    origin = Origin(setting.workspace_id, "api", one.dialect, "tests")
    if one.is_event:
        name = NOBODYS_NAME if one.subscription is None else f"customer-{one.subscription}"
        event = ReportEvent(origin, name, "media-processed", one.moment, one.key, {"minutes": one.quantity}, True)
        return ledger.report_event(command=event, recorded_at=one.moment)
    line = LineByNumber(setting.targets[one.subscription or 0].line)
    command = RecordUsage(origin=origin, address=line, quantity=one.quantity, occurred_at=one.moment, key=one.key)
    return ledger.record(command=command, recorded_at=one.moment)


@pytest.fixture
def journal(setting: Setting) -> Journal:
    """Return correct books: 10 and 2.5 calls, 7 retracted calls, and three sorts of events."""
    kept = [entry(1, "10"), entry(2, "2.5", subscription=1), entry(3, "7")]
    events = [
        entry(4, "3", is_event=True, key="a"),
        entry(5, "4", is_event=True, key="b", subscription=None),
        entry(6, "9", is_event=True, key="c"),
    ]
    for one in [*kept[:2], *events]:
        recorded(setting, one)
    taken = recorded(setting, kept[2])
    assert isinstance(taken, ledger.Recorded)
    make.take_back(taken)
    kept[2].is_retracted = events[2].is_retracted = True
    voiding = ReportEvent(
        Origin(setting.workspace_id, "api", "sequence", "tests"),
        VOID,
        "media-processed",
        events[2].moment,
        "c",
        {"minutes": 9},
        True,
    )
    ledger.report_event(command=voiding, recorded_at=events[2].moment)
    close_and_issue(workspace(setting), "2026-06-02")
    return Journal([*kept, *events])


def workspace(setting: Setting) -> Workspace:
    return Workspace.objects.get(pk=setting.workspace_id)


def found(setting: Setting, journal: Journal) -> set[str]:
    return {wrong.partition(":")[0] for wrong in checks.all_wrong(setting, journal)}


def test_right_books_pass(setting, journal):
    assert checks.all_wrong(setting, journal) == []
    # 10 x 0.37, 2.5 x 0.37 = 0.925, rounded half up, and 3 x 0.041 = 0.123.
    billed = InvoiceLine.objects.exclude(amount=0).order_by("amount").values_list("amount", flat=True)
    assert [f"{amount:.2f}" for amount in billed] == ["0.12", "0.93", "3.70"]


def test_acknowledged_usage_that_is_missing(setting, journal):
    journal.add(entry(7, "1"))

    assert found(setting, journal) == {"each_record_is_there_once", "amounts_are_those_of_what_was_sent"}


def test_usage_that_was_never_sent(setting, journal):
    journal.entries.pop(4)

    assert found(setting, journal) == {"each_record_is_there_once"}


def test_refused_usage_that_was_recorded(setting, journal):
    journal.entries[4].fate = REFUSED

    assert found(setting, journal) == {"each_record_is_there_once"}


def test_usage_of_unknown_outcome_may_exist_or_not(setting, journal):
    journal.entries[0].fate = UNKNOWN
    journal.add(entry(8, "1", subscription=1))
    journal.entries[-1].fate = UNKNOWN

    assert found(setting, journal) == set()


@pytest.mark.parametrize("fate", [ACKNOWLEDGED, UNKNOWN])
def test_usage_that_was_recorded_twice(setting, journal, fate):
    journal.entries[0].fate = fate
    recorded(setting, journal.entries[0])
    close_and_issue(workspace(setting), "2026-06-02")

    assert found(setting, journal) == {"each_record_is_there_once", "amounts_are_those_of_what_was_sent"}


def test_a_correction_that_was_lost(setting, journal):
    journal.entries[3].quantity = Decimal(30)

    assert found(setting, journal) == {"each_record_is_there_once", "amounts_are_those_of_what_was_sent"}


def test_a_retraction_that_was_lost(setting, journal):
    journal.entries[1].is_retracted = True

    assert found(setting, journal) == {"each_record_is_there_once", "amounts_are_those_of_what_was_sent"}


def test_usage_that_no_invoice_counts(setting, journal):
    late = entry(9, "100")
    recorded(setting, late)
    journal.add(late)

    assert found(setting, journal) == {"what_was_accepted_adds_up", "amounts_are_those_of_what_was_sent"}


def test_a_record_that_vanished(setting, journal):
    UsageRecord.objects.filter(customer_alias=NOBODYS_NAME).delete()
    journal.entries[4].fate = UNKNOWN
    InvoiceLine.objects.filter(record_count=1).update(record_count=2)

    assert "what_was_accepted_adds_up" in found(setting, journal)


def test_a_run_that_nothing_resumes(setting, journal):
    CloseRun.objects.update(state=CloseRun.State.ISSUING)

    assert found(setting, journal) == {"all_runs_have_ended"}


def test_a_subscription_that_was_parked(setting, journal):
    first = CloseItem.objects.order_by("pk").values("pk")[:1]
    CloseItem.objects.filter(pk__in=first).update(state="parked", reason="of a fault", holds_subscription=False)

    assert found(setting, journal) == {"all_runs_have_ended"}


def test_a_document_that_was_changed(setting, journal):
    first = Invoice.objects.order_by("pk").first()
    Invoice.objects.filter(pk=first.pk).update(document=first.document.replace("0.00", "0.01"))

    assert found(setting, journal) == {"invoices_replay_identically"}


def test_a_number_that_was_passed_over(setting, journal):
    last = Invoice.objects.order_by("sequence").last()
    Invoice.objects.filter(pk=last.pk).update(sequence=last.sequence + 1)

    assert "numbers_have_no_gap" in found(setting, journal)


def test_a_wrong_amount(setting, journal):
    InvoiceLine.objects.filter(amount=Decimal("3.70")).update(amount=Decimal("3.71"))

    assert "amounts_are_those_of_what_was_sent" in found(setting, journal)


def test_an_unexpected_answer(setting, journal):
    journal.wonder("native report: 500")

    assert found(setting, journal) == {"nobody_was_told_anything_strange"}
