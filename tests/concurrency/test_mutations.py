"""Several mutations in one request, beside requests that name the same lines in another order."""

from decimal import Decimal

import pytest

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.concurrency.threads import at_once
from tests.usage.dialects.clients import ServiceClient
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

REQUESTS = 40


def increment(line, alias: str) -> str:
    return f"""{alias}: incrementCounter(
        timestamp: "2026-07-16T10:15:30Z", count: 1
        subscriptionId: "{line.subscription_id}", brickId: "{line.brick_id}"
    ) {{ success }}"""


@pytest.mark.parametrize("limit", [Decimal(1000), None], ids=["bounded", "unbounded"])
def test_requests_that_name_lines_in_another_order_wait_for_each_other_and_are_all_done(limit):
    workspace = make.workspace()
    lines = [make.line(workspace) for _ in range(2)]
    for line in lines:
        contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=limit), actor=make.ACTOR)
    key = make.api_key(workspace)

    def send(order) -> int:
        client = ServiceClient("/salesbricks/api/v1/", {"x-salesbricks-key": key})
        query = " ".join(increment(line, f"m{place}") for place, line in enumerate(order))
        return client("POST", "usage", {"query": f"mutation {{ {query} }}"}).status_code

    orders = [lines, lines[::-1]] * 4
    answers = []
    for _ in range(REQUESTS // len(orders)):
        answers += at_once([lambda order=order: send(order) for order in orders])

    assert answers == [200] * REQUESTS
    assert UsageRecord.objects.count() == 2 * REQUESTS
