from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse

from billing import contracts
from billing.contracts import Limits
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def line():
    return contracts.set_limits(line=make.line(), limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)


def typed(quantity, **more):
    return {"occurred_at_0": "2026-01-10", "occurred_at_1": "08:00", "quantity": quantity, "note": "x", **more}


def test_usage_beyond_a_limit_is_refused_on_its_quantity(line):
    make.use(line, "7", "2026-01-09")
    url = f"{reverse('admin:usage_usagerecord_add')}?customer={line.subscription.customer_id}"

    response = administrator().post(url, typed("3.5", line=line.pk, key=str(uuid4())))

    assert errors_of(response) == {"quantity": ["The limit of this line leaves 3 in the period."]}
    assert UsageRecord.objects.count() == 1


def test_what_a_limit_leaves_is_told_in_the_workspaces_format():
    line = make.line(make.workspace(number_format="comma"))
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal("1234.567")), actor=make.ACTOR)
    url = f"{reverse('admin:usage_usagerecord_add')}?customer={line.subscription.customer_id}"

    response = administrator().post(url, typed("2.000", line=line.pk, key=str(uuid4())))

    assert errors_of(response) == {"quantity": ["The limit of this line leaves 1.234,567 in the period."]}


def test_a_correction_beyond_a_limit_is_refused_on_its_quantity(line):
    record = make.use(line, "7", "2026-01-10 08:00")
    url, client = reverse("admin:usage_usagerecord_correct", args=[record.id]), administrator()

    refused = client.post(url, typed("11"))
    client.post(url, typed("10"))

    assert errors_of(refused) == {"quantity": ["The limit of this line leaves 3 in the period."]}
    assert [record.quantity for record in UsageRecord.objects.live()] == [10]
