"""Invariants that must hold once everything is up again, checked only against the responses that senders got.

Each check yields what it finds wrong, in words, and never raises for it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Count, Q, QuerySet

from billing.models import CloseItem, CloseRun, Invoice, InvoiceLine
from tests.faults.journal import ACKNOWLEDGED, REFUSED, Entry, Journal
from tests.faults.setting import MINUTE_PRICE, TIME_ZONE, UNIT_PRICE, VOID, Setting
from usage.models import Matching, UsageRecord, UsageRecordQuerySet
from usage.replay import UnableToReplay, replay

CENT = Decimal("0.01")
Kind = UsageRecord.Kind


def all_wrong(setting: Setting, journal: Journal) -> list[str]:
    """Return everything that is wrong, with the name of the check that found it."""
    return [f"{check.__name__}: {wrong}" for check in CHECKS for wrong in check(setting, journal)]


def records_of(setting: Setting) -> UsageRecordQuerySet:
    return UsageRecord.objects.filter(workspace=setting.workspace_id)


def each_record_is_there_once(setting: Setting, journal: Journal) -> Iterator[str]:
    """Acknowledged usage exists once, with its last acknowledged quantity. Nothing exists that nobody sent."""
    entries = Counter(records_of(setting).filter(kind=Kind.ENTRY, origin=None).values_list("occurred_at", flat=True))
    live: dict[datetime, list[UsageRecord]] = defaultdict(list)
    for record in records_of(setting).live():
        live[record.occurred_at].append(record)
    for entry in list(journal.entries):
        found, counting = entries.pop(entry.moment, 0), live.pop(entry.moment, [])
        told = f"{entry.dialect} {entry.moment.isoformat()} {entry.fate}"
        if found > 1 or (entry.fate == ACKNOWLEDGED and found == 0) or (entry.fate == REFUSED and found):
            yield f"{told} is there {found} times"
        elif found:
            yield from _wrong_with(entry, told, counting)
    yield from (f"nobody sent what is dated {moment.isoformat()}" for moment in sorted({*entries, *live}))


def _wrong_with(entry: Entry, told: str, counting: list[UsageRecord]) -> Iterator[str]:
    if entry.is_retracted:
        if [record for record in counting if record.customer_alias != VOID]:
            yield f"{told} was retracted and counts still"
    elif len(counting) != 1:
        yield f"{told} counts {len(counting)} times"
    elif _quantity(counting[0]) != entry.quantity:
        yield f"{told} is worth {_quantity(counting[0])}, not {entry.quantity}"


def _quantity(record: UsageRecord) -> Decimal | None:
    if record.line_id is not None:
        return record.quantity
    (value,) = record.properties.values()
    return Decimal(value)


def what_was_accepted_adds_up(setting: Setting, _: Journal) -> Iterator[str]:
    """accepted = counted + unmatched + void + superseded + retracted, where invoices give what was counted."""
    is_tip = Q(superseded_by=None)
    is_nobodys = Q(customer=None, line=None) & ~Q(kind=Kind.RETRACTION)
    found = records_of(setting).aggregate(
        accepted=Count("pk"),
        superseded=Count("pk", filter=~is_tip),
        retracted=Count("pk", filter=is_tip & Q(kind=Kind.RETRACTION)),
        void=Count("pk", filter=is_tip & is_nobodys & Q(customer_alias=VOID)),
        unmatched=Count("pk", filter=is_tip & is_nobodys & ~Q(customer_alias=VOID)),
    )
    accepted = found.pop("accepted")
    found["counted"] = sum(line.record_count for line in _latest_lines(setting).values())
    if accepted != sum(found.values()):
        yield f"{accepted} were accepted, which is not the sum of {found}"


def all_runs_have_ended(setting: Setting, _: Journal) -> Iterator[str]:
    for run in CloseRun.objects.filter(workspace=setting.workspace_id, state__in=CloseRun.UNFINISHED):
        yield f"{run} is {run.state}"
    for item in CloseItem.objects.filter(workspace=setting.workspace_id).exclude(state=CloseItem.State.DONE):
        if item.run.state != CloseRun.State.DISCARDED:
            yield f"{item} is {item.state}: {item.reason}"
    held = CloseItem.objects.filter(workspace=setting.workspace_id, holds_subscription=True)
    yield from (f"{item} holds its subscription still" for item in held)
    for job in Matching.objects.filter(workspace=setting.workspace_id).exclude(state=Matching.State.DONE):
        yield f"{job} is {job.state}"


def invoices_replay_identically(setting: Setting, _: Journal) -> Iterator[str]:
    issued = _issued(setting)
    if not issued:
        yield "nothing was issued"
    for invoice in issued:
        try:
            outcome = replay(invoice=invoice)
        except UnableToReplay as error:
            yield f"{invoice}: {error}"
            continue
        if not outcome.is_identical:
            yield f"{invoice} differs: {outcome.differences}"


def numbers_have_no_gap(setting: Setting, _: Journal) -> Iterator[str]:
    for kind in Invoice.Kind:
        given = sorted(invoice.sequence or 0 for invoice in _issued(setting) if invoice.kind == kind)
        if given != list(range(1, len(given) + 1)):
            yield f"{kind}: {given}"


def amounts_are_those_of_what_was_sent(setting: Setting, journal: Journal) -> Iterator[str]:
    """Each customer's month costs the sum of the usage sent for it at its price, rounded once, over all invoices."""
    expected = _expected_amounts(setting, journal)
    billed: dict[tuple[str, bool, date], Decimal] = defaultdict(Decimal)
    for line in _issued_lines(setting):
        billed[_place(line)] += line.amount
    for place in sorted(expected.keys() | billed.keys(), key=str):
        if expected.get(place, 0) != billed.get(place, 0):
            yield f"{place}: billed {billed.get(place, 0)}, and {expected.get(place, 0)} is right"


def _expected_amounts(setting: Setting, journal: Journal) -> dict[tuple[str, bool, date], Decimal]:
    """Add up the journal. If the outcome of a request is unknown, only the ledger can tell whether it was recorded."""
    there = set(records_of(setting).filter(kind=Kind.ENTRY).values_list("occurred_at", flat=True))
    totals: dict[tuple[str, bool, date], Decimal] = defaultdict(Decimal)
    for entry in journal.entries:
        came = entry.fate == ACKNOWLEDGED or entry.moment in there
        if came and not entry.is_retracted and entry.subscription is not None:
            month = entry.moment.astimezone(TIME_ZONE).date().replace(day=1)
            totals[setting.targets[entry.subscription].subscription, entry.is_event, month] += entry.quantity
    return {
        place: (total * (MINUTE_PRICE if place[1] else UNIT_PRICE)).quantize(CENT, ROUND_HALF_UP)
        for place, total in totals.items()
    }


def _place(line: InvoiceLine) -> tuple[str, bool, date]:
    month = line.starts_at.astimezone(TIME_ZONE).date().replace(day=1)
    return str(line.line.subscription_id), line.rule_id is not None, month


def _issued(setting: Setting) -> list[Invoice]:
    return list(Invoice.objects.filter(workspace=setting.workspace_id, state=Invoice.State.ISSUED).order_by("pk"))


def _issued_lines(setting: Setting) -> QuerySet[InvoiceLine]:
    of_issued = InvoiceLine.objects.filter(workspace=setting.workspace_id, invoice__state=Invoice.State.ISSUED)
    return of_issued.select_related("line").order_by("cutoff", "pk")


def _latest_lines(setting: Setting) -> dict[tuple[str, bool, date], InvoiceLine]:
    return {_place(line): line for line in _issued_lines(setting)}


def nobody_was_told_anything_strange(_: Setting, journal: Journal) -> Iterator[str]:
    """The response is 503 if a service is unavailable, and a valid request is never refused."""
    yield from journal.surprises


CHECKS: tuple[Callable[[Setting, Journal], Iterator[str]], ...] = (
    each_record_is_there_once,
    what_was_accepted_adds_up,
    all_runs_have_ended,
    invoices_replay_identically,
    numbers_have_no_gap,
    amounts_are_those_of_what_was_sent,
    nobody_was_told_anything_strange,
)
