"""Bricks in the panel."""

import pytest
from django.urls import reverse

from billing.models import Brick
from tests import factories as make
from tests.billing.admin.staff import administrator, problems_of

pytestmark = pytest.mark.django_db

BRICK_ID = "11111111-2222-4333-8444-555555555555"


def test_brick_is_added_with_an_id_that_its_url_shows():
    owner, client = make.workspace(), administrator()

    client.post(
        reverse("admin:billing_brick_add"),
        {
            "name": "Calls",
            "workspace": owner.pk,
            "aggregation": "unit_days",
            "unit_label": "calls",
            "reference": "",
            "id": BRICK_ID,
        },
    )

    url = f"/admin/billing/brick/{BRICK_ID}/change/"
    assert client.get(url).status_code == 200
    assert f'data-copy="{BRICK_ID}"' in client.get(url).content.decode()
    assert Brick.objects.get().aggregation == "unit_days"


def test_aggregation_is_fixed_once_a_line_uses_the_brick():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_brick_change", args=[line.brick_id])
    free = make.brick(line.workspace, "Other")

    change = {"name": "Renamed", "aggregation": "none", "unit_label": "units", "reference": ""}
    client.post(url, change)
    client.post(reverse("admin:billing_brick_change", args=[free.pk]), change)

    rows = Brick.objects.order_by("created_at", "aggregation").values_list("name", "aggregation")
    assert set(rows) == {("Renamed", "sum"), ("Renamed", "none")}


def a_brick(**fields: object) -> dict[str, object]:
    return {
        "name": "Support",
        "workspace": make.workspace().pk,
        "aggregation": "none",
        "unit_label": "",
        "reference": "",
        "id": BRICK_ID,
        "is_case_sensitive": "on",
        **fields,
    }


def test_a_brick_that_is_not_metered_needs_no_unit():
    response = administrator().post(reverse("admin:billing_brick_add"), a_brick())

    assert response.status_code == 302
    assert Brick.objects.get().unit_label == "units"


def test_a_brick_that_is_metered_needs_a_unit():
    response = administrator().post(reverse("admin:billing_brick_add"), a_brick(aggregation="sum"))

    assert "A unit is required, such as units or GB." in problems_of(response)
    assert not Brick.objects.exists()
