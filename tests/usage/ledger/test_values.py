"""Quantities are kept exactly or refused; properties are bounded, whichever way they come in."""

from decimal import Decimal

import pytest

from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong
from tests.usage.dialects.sequence.client import Sequence
from tests.usage.dialects.sequence.client import wrong as wrong_in_sequence
from usage import ledger
from usage.commands import Origin, RecordById, RetractUsage
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"

# (quantity, message)
REFUSED_QUANTITIES = [
    ("1000000000000000", "Ensure that there are no more than 15 digits before the decimal point."),
    ("0.0000000001", "Ensure that there are no more than 9 decimal places."),
    ("1e400", "Ensure that there are no more than 15 digits before the decimal point."),
    ("1e-400", "Ensure that there are no more than 9 decimal places."),
    ("NaN", "A valid number is required."),
    ("-Infinity", "A valid number is required."),
]


@pytest.mark.parametrize(("quantity", "message"), REFUSED_QUANTITIES)
def test_a_quantity_that_would_not_be_kept_exactly_is_refused(quantity, message):
    line = make.line()

    with pytest.raises(ledger.QuantityRefused) as refusal:
        make.use(line, quantity, AT)

    assert refusal.value.message == message
    assert UsageRecord.objects.count() == 0


@pytest.mark.parametrize(
    "quantity", ["999999999999999.999999999", "-999999999999999.999999999", "1.50000000000000", "0"]
)
def test_a_counter_keeps_every_digit(quantity):
    line = make.line()
    make.use(line, quantity, AT)

    assert UsageRecord.objects.get().quantity == Decimal(quantity)


# {"note":"…"} is 11 bytes and the note.
LARGEST, TOO_LARGE = {"note": "x" * (64 * 1024 - 11)}, {"note": "x" * (64 * 1024 - 10)}
REFUSAL = "The properties of a record have at most 65536 bytes."


@pytest.fixture
def line():
    return make.line()


def usage_of(line, **fields) -> dict:
    return {"line": line.number, "quantity": 1, "occurred_at": "2026-01-10T00:00:00Z", **fields}


@pytest.mark.bound("PROPERTIES_BYTES")
def test_properties_of_up_to_64_kb_are_kept(line):
    api = Native(line.workspace)

    assert api("POST", "usage/", usage_of(line, properties=LARGEST)).status_code == 201
    assert UsageRecord.objects.get().properties == LARGEST


@pytest.mark.bound("PROPERTIES_BYTES")
def test_more_is_refused_naming_the_field(line):
    make.customer(line.workspace, "Initech", aliases=["gx"])
    api = Native(line.workspace)
    recorded = api("POST", "usage/", usage_of(line)).json()

    refused = api("POST", "usage/", usage_of(line, properties=TOO_LARGE))
    not_corrected = api("PATCH", f"usage/{recorded['id']}/", {"properties": TOO_LARGE})
    event = Sequence(line.workspace).report("gx", eventProperties=TOO_LARGE)

    assert wrong(refused) == wrong(not_corrected) == (422, {"properties": REFUSAL})
    assert (event.status_code, event.json()) == (400, wrong_in_sequence(eventProperties=REFUSAL))
    assert UsageRecord.objects.count() == 1


def test_a_batch_refuses_record_by_record(line):
    make.customer(line.workspace, "Initech", aliases=["gx"])
    event = {"customer_alias": "gx", "event_type": "call", "occurred_at": "2026-01-10T00:00:00Z"}
    sent = [usage_of(line), usage_of(line, properties=TOO_LARGE), event | {"properties": TOO_LARGE}, event]

    told = Native(line.workspace)("POST", "usage/batch/", {"records": sent}).json()

    assert [one.get("status") for one in told["results"]] == ["recorded", "refused", "refused", "recorded"]
    assert UsageRecord.objects.count() == 2


def test_a_number_that_is_short_to_send_counts_as_long_as_it_is_to_read(line):
    # Each is 6 bytes as it is sent and 1,000 as it is read: 65 of them are more than 64 KB, 64 are less.
    for count, is_kept in ((64, True), (66, False)):
        try:
            make.event(line.workspace, "gx", "2026-01-10", n=[Decimal("1e999")] * count)
        except ledger.PropertiesRefused:
            assert not is_kept
        else:
            assert is_kept


def test_a_larger_record_from_before_can_be_changed_and_taken_back(line, settings):
    event = make.event(line.workspace, "gx", "2026-01-10", note="x" * 100)
    settings.PROPERTIES_BYTES = 50

    make.fix_event(event, occurred_at=make.moment("2026-01-11"))
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="native", recorded_by="tests")
    ledger.retract_event(
        command=RetractUsage(origin=origin, target=RecordById(event.handle)), recorded_at=make.moment("2026-01-12")
    )

    assert UsageRecord.objects.count() == 3
