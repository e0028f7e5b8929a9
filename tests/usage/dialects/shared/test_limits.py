"""A line's hard limit, in the dialects whose vendors have no such limit."""

from decimal import Decimal

import pytest

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.usage.dialects.piriod.client import Piriod
from tests.usage.dialects.salesbricks_v2.client import Salesbricks
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

FULL = "The limit of this line leaves 3 in the period."


@pytest.fixture
def line(line):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)
    make.use(line, "7", "2026-07-20")
    return line


def test_piriod_names_the_quantity(line, key):
    piriod = Piriod(key, "acme")

    refused = piriod.post(line.number, quantity=4)

    assert (refused.status_code, refused.json()) == (400, {"quantity": [FULL]})
    assert piriod.post(line.number, quantity=3).status_code == 201
    assert UsageRecord.objects.count() == 2


def test_salesbricks_names_the_value_also_of_a_change(line):
    salesbricks = Salesbricks(line)

    refused = salesbricks.post(value=4)
    taken = salesbricks.post(value=3)
    raised = salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 4})
    lowered = salesbricks("PATCH", "usage", {"transaction_id": "12345", "value": 2})

    assert [answer.status_code for answer in (refused, taken, raised, lowered)] == [400, 201, 400, 200]
    assert refused.json()["error"]["details"] == {"value": [FULL]}
    assert raised.json()["error"]["details"] == {"value": ["The limit of this line leaves 0 in the period."]}
    assert [record.quantity for record in UsageRecord.objects.live().order_by("id")] == [7, 2]


def test_a_refusal_is_replayed_to_the_same_idempotency_key(line):
    salesbricks = Salesbricks(line, X_SALESBRICKS_IDEMPOTENT_OPERATION_KEY="op-1")

    first = salesbricks.post(value=4)
    contracts.set_limits(line=line, limits=Limits(), actor=make.ACTOR)

    assert (first.status_code, salesbricks.post(value=4).content) == (400, first.content)
    assert UsageRecord.objects.count() == 1
