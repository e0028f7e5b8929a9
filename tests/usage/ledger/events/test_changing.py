"""Events are corrected and retracted by further records."""

from decimal import Decimal

import pytest

from tests import factories as make
from usage import ledger
from usage.commands import CorrectUsage, Origin, RecordById, RecordByKey, RetractUsage
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


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
