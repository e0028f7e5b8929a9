"""An aggregation is one file and one line of the table: those defined here are known to no other file."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from billing import contracts, figures
from billing.aggregations import OF_BRICKS, OF_RULES
from billing.contracts import Limits, LimitsRefused
from billing.models import Brick, InvoiceLine, Line
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import all_replay_identically, close_and_issue, totals
from tests.usage.dialects.clients import ServiceClient
from usage import consumption, ledger
from usage.chains import LIVE
from usage.closing.changed import changed_periods
from usage.commands import LineByName, LineByNumber, Origin, RecordUsage
from usage.dialects import pages
from usage.dialects.shared import view
from usage.ledger import QuantityRefused
from usage.metering import Measurement, Window
from usage.metering.aggregation import Measured, MeasuredEvents
from usage.metering.sql import windows_table

pytestmark = pytest.mark.django_db

REPORTED = f"""
WITH w AS ({{windows}})
SELECT w.n, COUNT(*)
FROM w JOIN usage_usagerecord r ON r.workspace_id = w.workspace_id AND r.line_id = w.line_id
    AND r.occurred_at >= w.starts_at AND r.occurred_at < w.ends_at AND {LIVE.format(window="w")}
GROUP BY w.n
"""


def measure_reports(windows: Sequence[Window]) -> dict[int, Measurement]:
    table, parameters = windows_table(windows)
    with connection.cursor() as cursor:
        cursor.execute(REPORTED.format(windows=table), parameters)
        return {n: Measurement(Decimal(count), count) for n, count in cursor.fetchall()}


# The number of records of a line; of several lines, the greatest.
REPORTS = Measured(
    name="reports",
    label="Reports: how many there were",
    short_label="report counter",
    help="anything above zero",
    colour="danger",
    unit_suffix=" reported",
    takes_usage=True,
    combine=max,
    measure=measure_reports,
)
# The number of events that have a property; of several lines or customers, the greatest.
PRESENT = MeasuredEvents(
    name="present",
    label="Number of events with a property",
    phrase="events that have {property}",
    combine=max,
    quantity=lambda: "COUNT(value)",
)


def forget_choices() -> None:
    """Forget what a process builds once from the tables, which a program fills as it starts."""
    for built in (pages._built, view._serializer):
        built.cache_clear()


@pytest.fixture
def table(monkeypatch):
    """The tables as a program has them, put back after the test."""
    for of in (OF_BRICKS, OF_RULES):
        monkeypatch.setattr(of, "_by_name", dict(of._by_name))
    forget_choices()
    yield
    forget_choices()


@pytest.fixture
def reports(table):
    OF_BRICKS.register(REPORTS)


@pytest.fixture
def present(table):
    OF_RULES.register(PRESENT)


@pytest.fixture
def standing(table):
    OF_BRICKS.register(replace(REPORTS, name="standing", stands_on=True, may_be_negative=True, takes_limits=True))


def a_command(line: Line, quantity: str, **details: Any) -> RecordUsage:
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="native", recorded_by="a key")
    address = details.pop("address", LineByNumber(line.number))
    return RecordUsage(
        origin=origin, address=address, quantity=Decimal(quantity), occurred_at=make.moment("2026-01-10"), **details
    )


def test_it_is_recorded_measured_billed_and_replayed(reports):
    line = make.line(aggregation="reports")
    for quantity in ("7", "0.5", "100"):
        make.use(line, quantity, "2026-01-10")

    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "1", "2026-01-31", recorded_at="2026-02-02")
    close_and_issue(line.workspace, "2026-03-01")

    assert totals(line.workspace) == ["6.00", "2.00"]
    assert [row.quantity for row in InvoiceLine.objects.order_by("id")] == [3, 0, 4]
    assert all_replay_identically(line.workspace)


def test_it_takes_usage_alone_in_a_batch_and_by_its_subscriptions_name(reports):
    line = make.line(aggregation="reports", reference="S-1")
    by_name = a_command(line, "1", address=LineByName("S-1"))

    ledger.record(command=by_name, recorded_at=make.moment("2026-02-01"))
    found = ledger.record_many(commands=[by_name, a_command(line, "2")], recorded_at=make.moment("2026-02-01"))

    assert [each.line_id for each in found] == [line.pk] * 2
    (used,) = consumption.used_by_period(lines=[line], as_of=make.moment("2026-01-31"))
    assert used.quantity == 3


def test_a_negative_record_is_refused_by_its_kind(reports):
    line = make.line(aggregation="reports")
    record = make.use(line, "1", "2026-01-10")

    with pytest.raises(QuantityRefused, match="A report counter can't be negative"):
        ledger.record(command=a_command(line, "-1"), recorded_at=make.moment("2026-02-01"))
    with pytest.raises(QuantityRefused, match="A report counter can't be negative"):
        make.fix(record, "-1")
    (refused,) = ledger.record_many(commands=[a_command(line, "-1")], recorded_at=make.moment("2026-02-01"))
    assert isinstance(refused, QuantityRefused)


def test_what_is_allowed_follows_from_its_properties(reports, standing):
    plain, other = make.line(aggregation="reports"), make.workspace("other")
    line = make.line(other, aggregation="standing")

    with pytest.raises(LimitsRefused, match="Only a counter or report counter can have limits"):
        Limits(hard_limit_quantity=Decimal(1)).put_on(plain)
    Limits(hard_limit_quantity=Decimal(1)).put_on(line)
    make.use(line, "-1", "2026-01-10")
    assert (plain.carries_on, line.carries_on) == (False, True)


@pytest.mark.parametrize(("aggregation", "months"), [("reports", [1]), ("standing", [1, 2, 3])])
def test_a_late_record_reaches_as_far_as_values_stand(reports, standing, aggregation, months):
    line = make.line(aggregation=aggregation)
    close_and_issue(line.workspace, "2026-04-01")
    make.use(line, "1", "2026-01-20", recorded_at="2026-04-02")

    cutoff = ledger.last_id(workspace_id=line.workspace_id)
    changed = changed_periods(workspace_id=line.workspace_id, subscription_ids=[line.subscription_id], cutoff=cutoff)

    assert [period.starts_at.month for period in changed[line.pk]] == months


def test_lines_of_a_brick_are_combined_in_its_way(reports):
    line = make.line(aggregation="reports")
    moment = make.moment("2026-01-16")
    contracts.end_line(line=line, ends_at=moment, actor=make.ACTOR)
    later = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=moment,
        actor=make.ACTOR,
    )
    for of, day in [(line, 1), (line, 2), (later, 20), (later, 21), (later, 22)]:
        make.use(of, "1", f"2026-01-{day:02d}")

    lines = consumption.lines_of_brick(
        workspace=line.workspace, subscription_id=line.subscription_id, brick_id=line.brick_id
    )
    (used,) = consumption.used_by_period(lines=lines, as_of=make.moment("2026-01-31"))

    assert used.quantity == 3


def test_the_panel_offers_and_names_it(reports):
    line = make.line(aggregation="reports")
    make.use(line, "1", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    client = administrator()

    def shown(name: str, *of: object) -> str:
        return client.get(reverse(f"admin:{name}", args=of)).content.decode()

    assert f'<option value="reports">{REPORTS.label}</option>' in shown("billing_brick_add")
    assert "report counter" in shown("billing_brick_changelist")
    assert REPORTS.label in shown("billing_brick_changelist")
    assert "units reported" in shown("billing_invoice_change", line.workspace.invoices.get().pk)
    entry = client.get(reverse("admin:usage_usagerecord_add"), {"customer": line.subscription.customer_id})
    assert "Report counter: anything above zero." in entry.content.decode()


def test_the_api_takes_shows_and_documents_it(reports):
    owner = make.workspace()
    client = ServiceClient("/api/", {"authorization": f"Bearer {make.api_key(owner)}"})

    made = client("POST", "bricks/", {"name": "Reports", "aggregation": "reports"})

    assert made.status_code == 201, made.json()
    assert made.json()["aggregation"] == "reports"
    listed = client("GET", "bricks/?aggregation=reports").json()
    assert [row["id"] for row in listed["results"]] == [made.json()["id"]]
    assert "reports" in str(pages.openapi("native"))


def test_a_way_to_count_events_is_billed_and_named(present):
    customer = make.customer(make.workspace(), aliases=["gx"])
    brick = make.event_brick(customer.workspace, aggregation="present", property="length")
    line = make.counting_line(customer, brick)
    for properties in ({"length": 1}, {"length": "x"}, {}):
        make.event(customer.workspace, "gx", "2026-01-10", **properties)

    close_and_issue(customer.workspace, "2026-02-01")

    assert totals(customer.workspace) == ["4.00"]
    assert all_replay_identically(customer.workspace)
    rule = brick.event_rules.get()
    assert figures.event_rule(rule) == "message-sent: events that have length"
    assert str(rule) == "Number of events with a property of message-sent"
    (used,) = consumption.used_by_period(lines=[line], as_of=make.moment("2026-01-31"))
    assert (used.quantity, used.unread_count) == (2, 1)


def test_a_way_to_count_events_is_offered_by_panel_and_api(present):
    owner = make.workspace()
    page = administrator().get(reverse("admin:billing_brick_add")).content.decode()
    client = ServiceClient("/api/", {"authorization": f"Bearer {make.api_key(owner)}"})

    rule = {"event_type": "call", "aggregation": "present", "property": "length"}
    made = client("POST", "bricks/", {"name": "Calls", "aggregation": "events", "rule": rule})

    assert f'<option value="present">{PRESENT.label}</option>' in page
    assert made.json()["rule"]["aggregation"] == "present"
    assert "present" in str(pages.openapi("native"))


def test_what_is_not_in_the_table_is_refused():
    owner = make.workspace()
    client = ServiceClient("/api/", {"authorization": f"Bearer {make.api_key(owner)}"})

    assert client("POST", "bricks/", {"name": "Reports", "aggregation": "reports"}).status_code == 422
    with pytest.raises(LookupError, match="no aggregation “reports”"):
        Brick(aggregation="reports").metering  # noqa: B018  (asking is what fails)
