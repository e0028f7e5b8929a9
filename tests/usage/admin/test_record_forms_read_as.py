"""Usage whose figures a page read by other formats than there are now is refused once, and tells both readings."""

from decimal import Decimal

import pytest

from billing.models import Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator, errors_of
from tests.usage.admin.test_records import adding, page, typed
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to("2026-11-26T12:00Z")


def test_usage_that_was_read_by_another_format_is_refused_once_and_tells_both():
    line, client = make.line(make.workspace(number_format="comma")), administrator()
    shown = page_of(client, adding(line))
    Workspace.objects.update(number_format="point")

    refused = client.post(adding(line), shown | typed(line, "1.234", "2026-11-10"))

    assert errors_of(refused)["__all__"] == [
        "Nothing was saved: the format of entries was 1.234,5 and is 1,234.5 now. Check and save again."
    ]
    assert not UsageRecord.objects.exists()
    assert client.post(adding(line), shown_on(refused)).status_code == 302
    assert UsageRecord.objects.get().quantity == Decimal("1.234")


def test_moment_that_was_read_by_another_format_or_clock_is_refused_once_and_tells_both():
    line, client = make.line(make.workspace(day_format="dd/mm/yyyy")), administrator()
    shown = page_of(client, adding(line))
    Workspace.objects.update(day_format="mm/dd/yyyy", time_zone="Asia/Tokyo")

    refused = client.post(adding(line), shown | typed(line, "1", "10/11/2026"))

    assert errors_of(refused)["__all__"] == [
        "Nothing was saved: the format of entries was 30/11/2026, UTC and is 11/30/2026, Asia/Tokyo now. "
        "Check and save again."
    ]
    assert not UsageRecord.objects.exists()


def test_correction_that_was_read_by_another_format_is_refused_once():
    line, client = make.line(make.workspace(number_format="comma")), administrator()
    make.use(line, "3", "2026-11-05 10:00")
    url = page(UsageRecord.objects.get(), "correct")
    shown = page_of(client, url)
    Workspace.objects.update(number_format="point")

    refused = client.post(url, shown | {"quantity": "1.234", "note": "misread"})

    assert "was 1.234,5 and is 1,234.5 now" in errors_of(refused)["__all__"][0]
    assert UsageRecord.objects.count() == 1
    assert client.post(url, shown_on(refused)).status_code == 302
    assert UsageRecord.objects.order_by("id").last().quantity == Decimal("1.234")
