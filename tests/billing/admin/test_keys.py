"""API keys in the panel: shown once, listed, changed and revoked."""

import re

import pytest
from django.urls import reverse

from billing import figures, keys
from billing.models import ApiKey
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of, problems_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def test_key_is_shown_once_and_recognised():
    owner, client = make.workspace(), administrator()

    response = client.post(reverse("admin:billing_apikey_add"), {"workspace": owner.pk, "name": "meter", "text": ""})

    text = re.search(r'data-copy="([^"]+)"', response.content.decode())[1]
    key = keys.find_key(text=text, as_of=make.moment("2026-01-01"))
    assert (key.workspace, key.name, key.created_by) == (owner, "meter", "Fiona Ledger")
    assert "no-store" in response["Cache-Control"].split(", ")
    assert text not in client.get(reverse("admin:billing_apikey_change", args=[key.pk])).content.decode()
    assert text not in client.get(reverse("admin:billing_apikey_changelist")).content.decode()


def test_list_and_page_of_keys_tell_their_last_use_and_are_ordered_by_it():
    owner, client = make.workspace(), administrator()
    texts = [make.api_key(owner) for _ in range(3)]
    for text, day in ((texts[0], "2026-01-02"), (texts[2], "2026-01-01")):
        keys.find_key(text=text, as_of=make.moment(day))
    used, unused, used_before = ApiKey.objects.order_by("pk")

    page = client.get(reverse("admin:billing_apikey_changelist"), {"o": "5"}).context["cl"]
    listed = [key.pk for key in page.result_list if key.last_used_at is not None]
    urls = [reverse("admin:billing_apikey_change", args=[key.pk]) for key in (used, unused)]
    told = [client.get(url).content.decode() for url in urls]

    assert listed == [used_before.pk, used.pk]
    assert ["never" in page for page in told] == [False, True]
    assert [figures.moment(make.moment("2026-01-02"), owner.tz) in page for page in told] == [True, False]


def test_existing_token_is_taken_over():
    owner, token = make.workspace(), "0123456789abcdef-from-the-vendor"

    administrator().post(reverse("admin:billing_apikey_add"), {"workspace": owner.pk, "name": "meter", "text": token})

    assert keys.find_key(text=token, as_of=make.moment("2026-01-01")).name == "meter"


def test_short_token_is_refused_on_its_field():
    owner = make.workspace()

    response = administrator().post(
        reverse("admin:billing_apikey_add"), {"workspace": owner.pk, "name": "meter", "text": "short"}
    )

    assert list(errors_of(response)) == ["text"]
    assert not ApiKey.objects.exists()


def test_key_is_renamed_but_its_digest_and_workspace_stay():
    owner, client = make.workspace(), administrator()
    make.api_key(owner)
    key = ApiKey.objects.get()

    client.post(
        reverse("admin:billing_apikey_change", args=[key.pk]),
        {"name": "renamed", "digest": "0" * 64, "workspace": owner.twin.pk, "revoked_at_0": "2026-01-01"},
    )

    changed = ApiKey.objects.get()
    assert (changed.name, changed.digest, changed.workspace, changed.revoked_at) == (
        "renamed",
        key.digest,
        owner,
        None,
    )


def test_key_is_revoked_by_a_post_and_only_once():
    text = make.api_key(make.workspace())
    key, client = ApiKey.objects.get(), administrator()
    url = reverse("admin:billing_apikey_revoke", args=[key.pk])

    assert client.get(url).status_code == 200
    assert keys.find_key(text=text, as_of=make.moment("2026-01-01"))
    assert client.post(url).status_code == 302
    assert keys.find_key(text=text, as_of=make.moment("2026-01-01")) is None
    assert client.post(url)["Location"] == reverse("admin:billing_apikey_change", args=[key.pk])


def test_viewer_of_keys_can_neither_add_nor_revoke():
    make.api_key(make.workspace())
    viewer = client_of("billing.view_apikey")

    assert viewer.post(reverse("admin:billing_apikey_revoke", args=[ApiKey.objects.get().pk])).status_code == 403
    assert viewer.post(reverse("admin:billing_apikey_add"), {}).status_code == 403


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
