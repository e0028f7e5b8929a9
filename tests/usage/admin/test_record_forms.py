"""The moment and the quantity of usage that is entered by hand: read, spelled back, asked once more."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from billing.models import CloseRun
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of, post_and_confirm
from tests.scenarios.closing import close
from tests.usage.admin.test_records import adding, page, typed
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ECHO = {"headers": {"X-Panel-Echo": "1"}}
BERLIN = {"time_zone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to("2026-11-26T12:00Z")


@pytest.mark.parametrize(
    ("style", "text", "quantity"),
    [("point", "12.5", "12.5"), ("comma", "12,5", "12.5"), ("comma", "1.234,5", "1234.5"), ("space", "1 234", "1234")],
)
def test_quantity_is_read_by_the_workspaces_format(style, text, quantity):
    line = make.line(make.workspace(number_format=style))

    administrator().post(adding(line), typed(line, text, "2026-11-10"))

    assert UsageRecord.objects.get().quantity == Decimal(quantity)


@pytest.mark.parametrize(("text", "readings"), [("12,5", "12.5 or 125"), ("1.234,5", "1,234.5 or 1.2345")])
def test_quantity_that_only_another_format_reads_is_refused_with_both_readings(text, readings):
    line = make.line()

    response = administrator().post(adding(line), typed(line, text, "2026-11-10"))

    assert f"It could mean {readings}" in errors_of(response)["quantity"][0]
    assert not UsageRecord.objects.exists()


def test_day_that_could_be_another_is_refused_where_the_format_does_not_say():
    line = make.line(make.workspace(day_format="dd.mm.yyyy", **BERLIN))

    refused = administrator().post(adding(line), typed(line, "1", "10/11/2026"))
    administrator().post(adding(line), typed(line, "1", "20.11.2026"))

    assert "Tue 10 Nov 2026 or Sun 11 Oct 2026" in errors_of(refused)["occurred_at"][0]
    assert UsageRecord.objects.get().occurred_at == make.moment("2026-11-20 23:30", tz="Europe/Berlin")


def test_closed_period_and_future_are_asked_once_more():
    line, client = make.line(make.workspace(**BERLIN)), administrator()
    close(line.workspace, "2026-11-01", tz="Europe/Berlin")

    late, ahead = typed(line, "1", "2026-10-11"), typed(line, "2", "2062-01-01")
    for data, word in ((late, "closed period"), (ahead, "in the future")):
        asked = client.post(adding(line), data)
        assert word in errors_of(asked)["occurred_at"][0]
        assert "Quantity" in asked.content.decode().split("panel-ask")[1]
    assert not UsageRecord.objects.exists()

    for data in (late, ahead):
        post_and_confirm(client, adding(line), data)
    assert set(UsageRecord.objects.values_list("quantity", "is_late")) == {(1, True), (2, False)}


def test_answer_for_one_line_or_before_a_close_is_none_for_another():
    line, client = make.line(), administrator()
    other = make.counting_line(line.subscription.customer, make.brick(line.workspace, "Other"))
    ahead = typed(line, "2", "2026-12-01")
    (question,) = client.post(adding(line), ahead).context["form"].unanswered

    moved = client.post(adding(line), ahead | {"line": other.pk, "once_more": question.answer})

    assert list(errors_of(moved)) == ["occurred_at"]
    # A page that is older than a close: what was open when it was shown is asked of now.
    data = typed(line, "1", "2026-10-11")
    close(line.workspace, "2026-11-01")
    assert "closed period" in errors_of(client.post(adding(line), data))["occurred_at"][0]
    assert not UsageRecord.objects.exists()


def test_echo_tells_whether_the_period_is_open():
    line, client = make.line(make.workspace(**BERLIN)), administrator()
    close(line.workspace, "2026-11-01", tz="Europe/Berlin")

    def echo(day: str, time: str = "14:30") -> str:
        return client.post(adding(line), typed(line, "1", day, time), **ECHO).json()["occurred_at"]["text"]

    assert echo("2026-11-10") == "Tue 10 Nov 2026, 14:30, open period"
    assert echo("2026-10-11") == "Sun 11 Oct 2026, 14:30, closed period"
    assert echo("2026-11-27") == "Fri 27 Nov 2026, 14:30, in the future"
    assert not UsageRecord.objects.exists()


def test_correction_that_moves_usage_into_a_closed_period_is_asked_once_more():
    line, client = make.line(), administrator()
    record = make.use(line, "3", "2026-11-05 10:00")
    close(line.workspace, "2026-11-01")
    url = page(UsageRecord.objects.get(), "correct")
    data = {"quantity": "3", "occurred_at_0": "2026-10-05", "occurred_at_1": "10:00", "note": "misread"}

    assert list(errors_of(client.post(url, data))) == ["occurred_at"]
    assert UsageRecord.objects.count() == 1
    post_and_confirm(client, url, data)
    assert UsageRecord.objects.get(origin=record.id).is_late


REPEATED = [
    ("Europe/Berlin", "2026-10-25", "02:30", "+02:00", "2026-10-25 00:30", "+01:00", "2026-10-25 01:30"),
    ("America/Havana", "2026-11-01", "00:00", "-04:00", "2026-11-01 04:00", "-05:00", "2026-11-01 05:00"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "+11:00", "2026-04-04 14:45", "+10:30", "2026-04-04 15:15"),
]


@pytest.mark.parametrize(("zone", "day", "time", "first", "first_at", "second", "second_at"), REPEATED)
def test_repeated_time_offers_both_told_apart_by_their_offsets(zone, day, time, first, first_at, second, second_at):
    line, client = make.line(make.workspace(time_zone=zone)), administrator()
    data = typed(line, "1", day, time)

    asked = client.post(adding(line), data)
    html = asked.content.decode()

    assert "twice" in errors_of(asked)["occurred_at"][0]
    assert all(f'<option value="{offset}"' in html for offset in (first, second))
    assert not UsageRecord.objects.exists()
    for offset, at in ((first, first_at), (second, second_at)):
        client.post(adding(line), typed(line, "1", day, time, occurred_at_2=offset))
        assert UsageRecord.objects.latest("id").occurred_at == make.moment(at)


@pytest.mark.parametrize(("zone", "day", "time", "first", "first_at", "second", "second_at"), REPEATED)
def test_quantity_of_a_repeated_time_is_corrected_and_the_moment_left_alone(
    zone, day, time, first, first_at, second, second_at
):
    line, client = make.line(make.workspace(time_zone=zone)), administrator()
    for offset, at in ((first, first_at), (second, second_at)):
        make.use(line, "3", at)
        record = UsageRecord.objects.latest("id")
        url = page(record, "correct")
        chosen = client.get(url).content.decode().split("<option")
        assert any(f'value="{offset}"' in option and "selected" in option for option in chosen)
        shown = {"occurred_at_0": day, "occurred_at_1": time, "note": "misread"}
        client.post(url, shown | {"quantity": "4", "occurred_at_2": offset})
        corrected = UsageRecord.objects.latest("id")
        assert (corrected.quantity, corrected.occurred_at) == (4, make.moment(at))


def test_moment_with_a_fraction_is_left_alone_by_a_form_that_changes_the_quantity():
    line, client = make.line(), administrator()
    make.use(line, "3", "2026-11-05 10:00:07.654321")
    url = page(UsageRecord.objects.get(), "correct")

    client.post(
        url,
        {"quantity": "4", "occurred_at_0": "2026-11-05", "occurred_at_1": "10:00:07", "occurred_at_2": "", "note": "x"},
    )

    assert UsageRecord.objects.latest("id").occurred_at == make.moment("2026-11-05 10:00:07.654321")


def test_event_of_a_repeated_time_is_corrected_and_moved_between_the_two():
    owner = make.workspace(time_zone="Europe/Berlin")
    make.customer(owner, reference="globex")
    make.event(owner, "globex", "2026-10-25 00:30", length=5)
    client = administrator()
    record = UsageRecord.objects.get()
    shown = {"occurred_at_0": "2026-10-25", "occurred_at_1": "02:30", "note": "x"}

    client.post(page(record, "correct"), shown | {"properties": '{"length": 6}', "occurred_at_2": "+02:00"})
    changed = UsageRecord.objects.latest("id")
    assert (changed.properties, changed.occurred_at) == ({"length": 6}, record.occurred_at)

    client.post(page(changed, "correct"), shown | {"properties": '{"length": 6}', "occurred_at_2": "+01:00"})
    assert UsageRecord.objects.latest("id").occurred_at == make.moment("2026-10-25 01:30")


def test_an_offset_chosen_for_another_time_moves_nothing():
    line = make.line(make.workspace(time_zone="Europe/Berlin"))

    administrator().post(adding(line), typed(line, "1", "2026-11-10", "14:30", occurred_at_2="+02:00"))

    assert UsageRecord.objects.get().occurred_at == make.moment("2026-11-10 14:30", tz="Europe/Berlin")


def test_last_day_of_a_close_is_read_by_the_workspaces_format(eager_tasks):
    line = make.line(make.workspace(day_format="dd.mm.yyyy"), starts_on=date(2026, 9, 1))
    url, client = reverse("admin:billing_closerun_add"), administrator()

    refused = client.post(url, {"workspace": line.workspace_id, "last_day": "09/10/2026"})
    client.post(url, {"workspace": line.workspace_id, "last_day": "30.09.2026"})

    assert "Fri 9 Oct 2026 or Thu 10 Sep 2026" in errors_of(refused)["last_day"][0]
    assert CloseRun.objects.get().until_at == make.moment("2026-10-01")
