"""Who may call the APIs, and how often, as the panel sets it."""

import pytest
from django.urls import reverse

from billing.models import AllowedOrigin, ApiKey
from tests import factories as make
from tests.billing.admin.staff import administrator, problems_of
from tests.billing.admin.test_parties import WORKSPACE

pytestmark = [pytest.mark.django_db, pytest.mark.once]


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

    assert problems_of(response) == ["Such as https://app.example.com, and no path."]
    assert not AllowedOrigin.objects.exists()


def test_the_twins_page_leaves_its_sites_to_the_live_workspace():
    page = administrator().get(reverse("admin:billing_workspace_change", args=[make.workspace().twin.pk]))

    assert "allowed_origins-TOTAL_FORMS" not in page.content.decode()


def test_a_keys_limit_is_set_and_taken_off_on_its_page():
    make.api_key(make.workspace())
    key, client = ApiKey.objects.get(), administrator()
    url = reverse("admin:billing_apikey_change", args=[key.pk])

    client.post(url, {"name": "a service", "requests_per_minute": "600"})
    assert ApiKey.objects.get().requests_per_minute == 600
    client.post(url, {"name": "a service", "requests_per_minute": ""})
    assert ApiKey.objects.get().requests_per_minute is None


def test_a_limit_of_zero_is_refused():
    make.api_key(make.workspace())
    url = reverse("admin:billing_apikey_change", args=[ApiKey.objects.get().pk])

    response = administrator().post(url, {"name": "a service", "requests_per_minute": "0"})

    assert response.status_code == 200
    assert problems_of(response) != []
