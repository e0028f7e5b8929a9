"""Workspaces in the panel: opened, changed, and the web sites that may call their APIs."""

import pytest
from django.urls import reverse

from billing.models import AllowedOrigin, NumberSeries, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of, problems_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

WORKSPACE = {
    "name": "Acme",
    "code": "acme",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "closing": "manual",
    "closing_delay_hours": "1",
    "number_format": "point",
    "day_format": "iso",
}


def test_workspace_is_opened_with_its_twin_and_their_number_series():
    response = administrator().post(reverse("admin:billing_workspace_add"), WORKSPACE)

    live, test = Workspace.objects.order_by("pk")
    assert response.url == reverse("admin:billing_workspace_change", args=[live.pk])
    assert (live.mode, test.mode, test.live, test.code) == ("live", "test", live, "acme")
    assert NumberSeries.objects.count() == 6


@pytest.mark.parametrize(
    ("change", "field"),
    [({"time_zone": "Mars"}, "time_zone"), ({"currency": "XXX"}, "currency"), ({"code": "a b"}, "code")],
)
def test_workspace_with_a_bad_field_is_refused_on_that_field(change, field):
    response = administrator().post(reverse("admin:billing_workspace_add"), WORKSPACE | change)

    assert list(errors_of(response)) == [field]
    assert not Workspace.objects.exists()


def test_workspace_of_a_code_that_is_taken_is_refused():
    make.workspace("acme")

    response = administrator().post(reverse("admin:billing_workspace_add"), WORKSPACE)

    assert list(errors_of(response)) == ["__all__"]
    assert Workspace.objects.count() == 2


def test_time_zone_is_fixed_once_there_are_subscriptions():
    owner, client = make.workspace(), administrator()
    url = reverse("admin:billing_workspace_change", args=[owner.pk])
    no_sites = {"allowed_origins-TOTAL_FORMS": "0", "allowed_origins-INITIAL_FORMS": "0"}
    client.post(url, WORKSPACE | no_sites | {"time_zone": "Asia/Tokyo", "name": "First"})
    make.subscription(make.customer(Workspace.objects.get(pk=owner.pk)))

    client.post(url, WORKSPACE | no_sites | {"time_zone": "Europe/Paris", "name": "Second", "code": "other"})

    owner.refresh_from_db()
    assert (owner.time_zone, owner.name, owner.code) == ("Asia/Tokyo", "Second", "acme")


def with_origins(*origins):
    form = {"allowed_origins-TOTAL_FORMS": str(len(origins)), "allowed_origins-INITIAL_FORMS": "0"}
    return WORKSPACE | form | {f"allowed_origins-{n}-origin": origin for n, origin in enumerate(origins)}


def test_web_sites_are_allowed_on_the_workspaces_page():
    owner = make.workspace()
    url = reverse("admin:billing_workspace_change", args=[owner.pk])

    administrator().post(url, with_origins("https://app.example.com", "http://localhost:3000"))

    assert set(AllowedOrigin.objects.values_list("workspace", "origin")) == {
        (owner.pk, "https://app.example.com"),
        (owner.pk, "http://localhost:3000"),
    }


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/path", "https://*.example.com", "*"])
def test_what_is_no_origin_is_refused(origin):
    url = reverse("admin:billing_workspace_change", args=[make.workspace().pk])

    response = administrator().post(url, with_origins(origin))

    assert problems_of(response) == ["Such as https://app.example.com, without a path."]
    assert not AllowedOrigin.objects.exists()


def test_the_twins_page_leaves_its_sites_to_the_live_workspace():
    page = administrator().get(reverse("admin:billing_workspace_change", args=[make.workspace().twin.pk]))

    assert "allowed_origins-TOTAL_FORMS" not in page.content.decode()
