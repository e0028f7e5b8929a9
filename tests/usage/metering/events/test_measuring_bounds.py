"""Rules at their bound are cheap; those beyond it, written before there was one, are refused and end nothing."""

import time
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from billing.models import CloseItem, EventRule, Invoice
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import close, close_and_issue
from tests.usage.dialects.native.client import Native
from tests.usage.dialects.sequence.client import Sequence, refused
from usage import closing
from usage.dialects.sequence.calculation import calculate
from usage.models import UsageRecord
from usage.replay import UnableToReplay, replay

pytestmark = pytest.mark.django_db

AT_THE_BOUND = {f"p{n}": [f"v{m}" for m in range(100)] for n in range(20)}
BEYOND = {f"p{n}": ["x"] for n in range(700)}
TOO_LARGE = "The rule of “Messages” can't be evaluated: A rule has at most 20 filters, not 700."


@pytest.fixture
def globex():
    return make.customer(make.workspace(), aliases=["gx"])


def rule_from_before(customer) -> EventRule:
    """A line that counts one event at $2, by a rule that was written before rules had a bound."""
    line = make.counting_line(customer, make.event_brick(customer.workspace))
    EventRule.objects.filter(brick=line.brick).update(filters=BEYOND)
    make.event(customer.workspace, "gx", "2026-01-05")
    return line.brick.event_rules.get()


def test_a_rule_at_its_bound_takes_milliseconds_in_calculate_preview_and_close(globex):
    brick = make.event_brick(globex.workspace, filters=AT_THE_BOUND)
    line = make.counting_line(globex, brick)
    for n in range(10):
        make.event(globex.workspace, "gx", "2026-01-05", **{f"p{m}": f"v{n}" for m in range(20)})
    make.event(globex.workspace, "gx", "2026-01-05", p0="v0")
    span = {"starts_at": make.moment("2026-01-01"), "ends_at": make.moment("2026-02-01")}

    before = time.process_time()
    found = calculate(rule=brick.event_rules.get(), customer_ids=[globex.pk], **span)
    preview = closing.preview(subscription=line.subscription, as_of=make.moment("2026-01-31"))
    close(globex.workspace, "2026-02-01")

    # It takes some 20 ms; what grew with the square of the filters took minutes.
    assert time.process_time() - before < 2
    assert (found.value, preview and preview.invoice.total, Invoice.objects.get().total) == (10, 20, Decimal(20))


def test_a_rule_beyond_the_bound_is_parked_with_its_reason_and_stops_nobody(globex):
    rule_from_before(globex)
    other = make.line(globex.workspace)
    make.use(other, "3", "2026-01-05")

    close(globex.workspace, "2026-02-01")

    assert CloseItem.objects.get(state="parked").reason == TOO_LARGE
    assert [invoice.subscription_id for invoice in Invoice.objects.all()] == [other.subscription_id]


def test_calculate_and_the_upcoming_invoice_refuse_a_rule_beyond_the_bound(globex):
    rule = rule_from_before(globex)
    subscription = globex.subscriptions.get()
    query = "customerAliases=gx&periodStart=2026-01-01&periodEnd=2026-01-31"

    calculated = Sequence(globex.workspace)("GET", f"usage-metrics/{rule.brick_id}/calculate?{query}")
    upcoming = Native(globex.workspace)("GET", f"subscriptions/{subscription.pk}/upcoming-invoice/")
    shown = administrator().get(reverse("admin:usage_preview", args=[subscription.pk]))

    assert (calculated.status_code, calculated.json()) == (400, refused(TOO_LARGE))
    assert (upcoming.status_code, upcoming.json()["detail"]) == (409, TOO_LARGE)
    assert "A rule has at most 20 filters, not 700." in shown.content.decode()


def test_an_invoice_of_a_rule_beyond_the_bound_says_why_it_cannot_be_computed_again(globex):
    make.counting_line(globex, make.event_brick(globex.workspace))
    make.event(globex.workspace, "gx", "2026-01-05")
    close_and_issue(globex.workspace, "2026-02-01")
    invoice = Invoice.objects.get()
    EventRule.objects.update(filters=BEYOND)

    with pytest.raises(UnableToReplay, match="A rule has at most 20 filters, not 700."):
        replay(invoice=invoice)
    told = StringIO()
    with pytest.raises(CommandError, match="1 of 1 invoices can't be reproduced."):
        call_command("replay", all=True, stdout=told)
    assert "A rule has at most 20 filters, not 700." in told.getvalue()
    list_of_records = administrator().get(
        reverse("admin:usage_usagerecord_changelist"), {"invoice_line": invoice.lines.get().pk}
    )
    assert "A rule has at most 20 filters, not 700." in list_of_records.content.decode()
    assert UsageRecord.objects.count() == 1
