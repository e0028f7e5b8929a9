"""Coming from a vendor: rows are created under the ids that its clients hold, and the clients report as before."""

import uuid

import pytest

from tests import factories as make
from tests.scenarios.closing import close_and_issue, totals
from tests.usage.dialects.clients import ServiceClient
from tests.usage.dialects.native.client import Native
from tests.usage.dialects.piriod.client import WORKSPACE, Piriod
from tests.usage.dialects.sequence.client import Sequence
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

CUSTOMER = {"name": "Globex", "reference": "cus_1"}
STARTS_ON = "2026-07-01"
AT = "2026-07-16T10:15:30Z"


@pytest.fixture
def workspace():
    return make.workspace(WORKSPACE)


@pytest.fixture
def api(workspace):
    return Native(workspace)


def made(response):
    assert response.status_code == 201, response.content
    return response.json()


def billed(workspace):
    """Close July and return what was invoiced."""
    close_and_issue(workspace, until="2026-08-01")
    return totals(workspace)


def test_piriods_clients_report_to_a_line_by_the_integer_they_hold(api, workspace):
    made(api.post("customers/", **CUSTOMER))
    made(api.post("bricks/", name="API calls", reference="pln_1", aggregation="sum"))
    price = {"model": "per_unit", "unit_price": "0.25"}
    line = {"id": 88123, "brick": "pln_1", "price": price}
    made(api.post("subscriptions/", reference="sus_1", customer="cus_1", starts_on=STARTS_ON, lines=[line]))

    response = Piriod(make.api_key(workspace)).post(88123, date_time=AT, quantity=30)

    assert (response.status_code, response.json()["subscription_line"]) == (201, 88123)
    # 30 x 0.25
    assert billed(workspace) == ["7.50"]


def test_salesbricks_clients_report_by_the_uuids_they_hold(api, workspace):
    subscription, brick = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
    made(api.post("customers/", **CUSTOMER))
    made(api.post("bricks/", id=brick, name="Seats", aggregation="unit_days"))
    line = {"brick": brick, "price": {"model": "per_unit", "unit_price": "2"}}
    made(api.post("subscriptions/", id=subscription, customer="cus_1", starts_on=STARTS_ON, lines=[line]))
    salesbricks = ServiceClient("/salesbricks/api/v2/", {"x-salesbricks-key": make.api_key(workspace)})

    # The vendor's own example: 3 for 6 days, 4 for 8, 8 for 6, 5 for 3.
    for value, time in ((3, "01"), (4, "07"), (8, "15"), (5, "21"), (0, "24")):
        entry = {"transaction_id": time, "value": value, "time": f"2026-07-{time}T00:00:00Z"}
        reply = salesbricks("POST", "usage", {**entry, "subscription_id": subscription, "brick_id": brick})
        assert reply.status_code == 201

    # (18 + 32 + 48 + 15) x 2
    assert billed(workspace) == ["226.00"]


def test_rebillys_clients_report_to_a_line_by_its_reference(api, workspace):
    made(api.post("customers/", **CUSTOMER))
    made(api.post("bricks/", name="Requests", reference="plan-1", aggregation="sum"))
    tiers = [{"up_to": 10, "unit_price": "5"}, {"up_to": 20, "unit_price": "4", "fee": 1}, {"unit_price": 3, "fee": 2}]
    line = {"reference": "sub_01HRF27", "brick": "plan-1", "price": {"model": "graduated", "tiers": tiers}}
    made(api.post("subscriptions/", customer="cus_1", starts_on=STARTS_ON, lines=[line]))
    rebilly = ServiceClient(f"/rebilly/organizations/{WORKSPACE}/", {"reb-apikey": make.api_key(workspace)})

    reply = rebilly("POST", "usages", {"subscriptionId": "sub_01HRF27", "quantity": 21, "usageTime": AT})

    assert (reply.status_code, reply.json()["subscriptionId"]) == (201, "sub_01HRF27")
    # 10 x 5 + 10 x 4 + 1 + 1 x 3 + 2
    assert billed(workspace) == ["96.00"]


def test_sequences_clients_report_of_a_customer_by_its_alias(api, workspace):
    made(api.post("customers/", **CUSTOMER, aliases=["globex-eu"]))
    rule = {"event_type": "message-sent", "aggregation": "sum", "property": "length", "filters": {"region": ["eu"]}}
    made(api.post("bricks/", name="Letters", reference="metric-1", aggregation="events", rule=rule))
    line = {"brick": "metric-1", "price": {"model": "per_unit", "unit_price": "0.01"}}
    made(api.post("subscriptions/", customer="cus_1", starts_on=STARTS_ON, lines=[line]))
    sequence = Sequence(workspace)

    for alias, region in (("globex-eu", "eu"), ("cus_1", "eu"), ("globex-eu", "us"), ("somebody", "eu")):
        properties = {"length": 500, "region": region}
        assert sequence.report(alias, eventTimestamp=AT, eventProperties=properties).status_code == 201

    # Two of 500 letters; of the others one is in another region, one of nobody yet.
    assert billed(workspace) == ["10.00"]


def test_events_that_waited_for_their_customer_count_once_it_is_made(api, workspace):
    sequence = Sequence(workspace)
    sequence.report("globex-eu", eventTimestamp=AT)
    rule = {"event_type": "message-sent", "aggregation": "count"}
    made(api.post("bricks/", name="Messages", reference="metric-1", aggregation="events", rule=rule))

    customer = made(api.post("customers/", **CUSTOMER))
    made(api.post(f"customers/{customer['id']}/aliases/", value="globex-eu"))

    line = {"brick": "metric-1", "price": {"model": "per_unit", "unit_price": "3"}}
    made(api.post("subscriptions/", customer="cus_1", starts_on=STARTS_ON, lines=[line]))
    assert str(UsageRecord.objects.live().get().customer_id) == customer["id"]
    assert billed(workspace) == ["3.00"]
