"""Events in the panel: found, explained, corrected and taken back."""

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import parties
from billing.models import InvoiceLine
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of, queries_of
from tests.scenarios.closing import close_and_issue
from usage import ledger
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

LIST = reverse("admin:usage_usagerecord_changelist")


def page(event: ledger.RecordedEvent, view: str = "change") -> str:
    return reverse(f"admin:usage_usagerecord_{view}", args=[event.id])


def rows(client: object, query: str) -> list[int]:
    return [row.pk for row in client.get(f"{LIST}?{query}").context["cl"].result_list]  # type: ignore[attr-defined]


def test_list_tells_whose_an_event_is_and_what_waits():
    owner, client = make.workspace(), administrator()
    make.customer(owner, aliases=["gx"])
    ours = make.event(owner, "gx", "2026-01-05")
    waiting = make.event(owner, "nobody-yet", "2026-01-05", event_type="call")
    void = make.event(owner, "VOID", "2026-01-05")
    line = make.line(owner)
    parties.update_customer(customer=line.subscription.customer, name="Globex Ltd", actor=make.ACTOR)
    used = make.use(line, "1", "2026-01-05")

    shown = client.get(LIST).content.decode()

    for text in ("Globex Ltd", "Globex (as gx)", "– (as nobody-yet)", "message-sent", "call"):
        assert text in shown
    assert rows(client, "state=unmatched") == [waiting.id]
    assert rows(client, "state=counts") == [used.id, ours.id]
    assert rows(client, "q=nobody-yet") == [waiting.id]
    assert rows(client, "q=VOID") == [void.id]
    assert rows(client, "q=glob") == [used.id, ours.id]
    assert rows(client, f"q={ours.key}") == [ours.id]
    states = [client.get(page(event)).context["state"] for event in (ours, waiting, void)]
    assert states == ["counts", "unmatched", "void"]


def test_list_of_an_invoice_line_is_exactly_what_its_rule_counted():
    owner, client = make.workspace(), administrator()
    globex = make.customer(owner, aliases=["gx"])
    other = make.customer(owner, "Initech", aliases=["in"])
    brick = make.event_brick(owner, filters={"type": ["fax"]}, negated=["type"])
    line = make.counting_line(globex, brick)
    make.counting_line(other, brick)
    counted = [make.event(owner, "gx", "2026-01-05", type="text"), make.event(owner, "gx", "2026-01-06")]
    superseded = make.event(owner, "gx", "2026-01-07", key="m-1")
    counted.append(make.event(owner, "gx", "2026-01-08", key="m-1"))
    make.event(owner, "gx", "2026-01-05", type="fax")
    make.event(owner, "gx", "2026-01-05", event_type="call")
    make.event(owner, "in", "2026-01-05")
    make.event(owner, "later", "2026-01-05")
    make.event(owner, "gx", "2026-02-01")
    close_and_issue(owner, "2026-02-01")
    parties.add_alias(customer=globex, value="later", actor=make.ACTOR)
    make.take_event_back(counted[0])

    billed = InvoiceLine.objects.get(line=line)

    assert rows(client, f"invoice_line={billed.pk}") == [event.id for event in counted[::-1]]
    assert superseded.id not in rows(client, f"invoice_line={billed.pk}")
    assert billed.record_count == 3
    rule = "message-sent: number of events where type is not fax"
    assert rule in client.get(f"{LIST}?invoice_line={billed.pk}").content.decode()
    invoice = client.get(reverse("admin:billing_invoice_change", args=[billed.invoice_id])).content.decode()
    assert rule in invoice
    assert f'{LIST}?invoice_line={billed.pk}">3 records</a>' in invoice


def test_record_shows_its_chain_from_waiting_to_corrected():
    owner, client = make.workspace(), administrator()
    waiting = make.event(owner, "gx", "2026-01-05", length=5)
    globex = make.customer(owner, aliases=["gx"])
    match = UsageRecord.objects.latest("id")
    corrected = make.fix_event(waiting, properties={"length": 6})

    shown = client.get(page(waiting))

    assert [
        (link["record"].pk, link["record"].get_kind_display(), link["state"]) for link in shown.context["chain"]
    ] == [
        (waiting.id, "Entry", "superseded"),
        (match.pk, "Match", "superseded"),
        (corrected.id, "Correction", "counts"),
    ]
    assert "No customer has this alias" in shown.content.decode()
    assert reverse("admin:billing_customer_change", args=[globex.pk]) in client.get(page(corrected)).content.decode()


def test_event_is_corrected_in_time_and_properties():
    owner, client = make.workspace(time_zone="Europe/Berlin"), administrator()
    make.customer(owner, aliases=["gx"])
    event = make.event(owner, "gx", "2026-01-05 10:00", tz="Europe/Berlin", length=5)
    data = {
        "properties": '{"length": 0.10, "type": "text"}',
        "occurred_at_0": "2026-01-06",
        "occurred_at_1": "11:00:00",
        "note": "misread",
    }

    assert client.get(page(event, "correct")).status_code == 200
    client.post(page(event, "correct"), data)

    change = UsageRecord.objects.latest("id")
    assert (change.kind, change.note, change.recorded_by) == ("correction", "misread", "Fiona Ledger")
    assert change.occurred_at == make.moment("2026-01-06 11:00", tz="Europe/Berlin")
    assert {name: str(value) for name, value in change.properties.items()} == {"length": "0.10", "type": "text"}
    assert change.superseded_by is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "__all__"),
        ({"properties": "{"}, "properties"),
        ({"properties": "[1]"}, "properties"),
        ({"properties": '{"length": 1e5000}'}, "properties"),
        ({"properties": '{"length": NaN}'}, "properties"),
        ({"properties": '{"length": 6}', "note": ""}, "note"),
    ],
)
def test_correction_of_an_event_is_refused_on_its_field(change, field):
    owner = make.workspace()
    event = make.event(owner, "gx", "2026-01-05 10:00", length=5)
    same = {"properties": '{"length": 5}', "occurred_at_0": "2026-01-05", "occurred_at_1": "10:00:00", "note": "why"}

    response = administrator().post(page(event, "correct"), same | change)

    assert list(errors_of(response)) == [field]
    assert UsageRecord.objects.count() == 1


def test_event_is_retracted():
    owner, client = make.workspace(), administrator()
    make.customer(owner, aliases=["gx"])
    event = make.event(owner, "gx", "2026-01-05")

    assert client.get(page(event, "retract")).status_code == 200
    client.post(page(event, "retract"), {"note": "a test"})

    assert (UsageRecord.objects.latest("id").kind, UsageRecord.objects.live().exists()) == ("retraction", False)
    refused = client.post(page(event, "correct"), {})
    assert "Fiona Ledger has retracted it" in str(refused.context["form"].errors)
    assert client_of("usage.view_usagerecord").post(page(event, "retract"), {"note": "x"}).status_code == 403


def test_usage_is_typed_for_lines_that_count_records_of_their_own():
    line, client = make.line(), administrator()
    globex = line.subscription.customer
    make.counting_line(globex, make.event_brick(line.workspace))

    form = client.get(f"{reverse('admin:usage_usagerecord_add')}?customer={globex.pk}").context["form"]

    assert list(form.fields["line"].queryset) == [line]


def test_list_takes_as_many_queries_for_many_events_as_for_one():
    owner, client = make.workspace(), administrator()
    make.customer(owner, "first", aliases=["first"])
    make.event(owner, "first", "2026-01-05")
    one = queries_of(client, LIST)
    for name in ("second", "third"):
        make.customer(owner, name, aliases=[name])
        make.take_event_back(make.event(owner, name, "2026-01-05"))
        make.event(owner, name, "2026-01-05")

    assert queries_of(client, LIST) == one


def test_preview_shows_the_events_so_far():
    owner, client = make.workspace(), administrator()
    today = timezone.now().date()
    line = make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner), starts_on=today)
    make.event(owner, "gx", str(today))

    shown = client.get(reverse("admin:usage_preview", args=[line.subscription_id]))

    (drafted,) = shown.context["lines"]
    assert (drafted["draft"].quantity, drafted["draft"].amount) == (1, 2)
    assert "1 record" in shown.content.decode()
