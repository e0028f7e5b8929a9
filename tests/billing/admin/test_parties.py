"""Workspaces, API keys and customers in the panel."""

import re

import pytest
from django.urls import reverse

from billing import figures, keys, parties
from billing.models import ApiKey, Customer, CustomerAlias, NumberSeries, Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of, errors_of, problems_of

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


def aliases(*values: str) -> dict[str, object]:
    rows = {f"aliases-{n}-value": value for n, value in enumerate(values)}
    return {"aliases-TOTAL_FORMS": len(values), "aliases-INITIAL_FORMS": 0, **rows}


def test_customer_is_added_with_its_aliases():
    owner = make.workspace()
    data = {
        "name": "Globex",
        "workspace": owner.pk,
        "reference": "",
        "email": "",
        "address": "",
        "id": "7f0c6a52-52a8-4f5a-8c7e-0a1f8d2f4f11",
    }

    response = administrator().post(reverse("admin:billing_customer_add"), data | aliases("gx", "globex-eu"))

    customer = Customer.objects.get()
    assert response.status_code == 302
    assert (str(customer.pk), customer.reference) == (data["id"], None)
    assert [(alias.workspace, alias.value) for alias in customer.aliases.order_by("id")] == [
        (owner, "gx"),
        (owner, "globex-eu"),
    ]


def test_reference_and_alias_that_are_taken_are_refused():
    owner, client = make.workspace(), administrator()
    other = make.customer(owner, "Initech", reference="C-1")
    parties.add_alias(customer=other, value="taken", actor=make.ACTOR)
    customer = make.customer(owner)
    url = reverse("admin:billing_customer_change", args=[customer.pk])

    for name in ("C-1", "taken", str(other.pk)):
        by_reference = client.post(url, {"name": "Globex", "reference": name, **aliases()})
        by_alias = client.post(url, {"name": "Globex", "reference": "", **aliases(name)})

        told = ["Another customer has this name: as its id, its reference or an alias."]
        assert (problems_of(by_reference), problems_of(by_alias)) == (told, told)
    customer.refresh_from_db()
    assert (CustomerAlias.objects.count(), customer.reference) == (1, None)


def test_customers_are_found_by_the_beginning_of_their_name():
    owner = make.workspace()
    globex = make.customer(owner)
    make.customer(owner, "Initech")

    found = administrator().get(reverse("admin:billing_customer_pick"), {"term": "glo"}).json()

    assert found == {"results": [{"id": str(globex.pk), "text": "Globex"}], "pagination": {"more": False}}
    assert client_of().get(reverse("admin:billing_customer_pick")).status_code == 403


def test_reference_and_alias_are_kept_to_the_letter_by_who_renames_the_customer():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner, reference="Customer 7 ", aliases=[" globex "])
    alias = customer.aliases.get()
    url = reverse("admin:billing_customer_change", args=[customer.pk])
    form = {
        "name": "Globex Ltd",
        "reference": "Customer 7 ",
        "aliases-TOTAL_FORMS": 1,
        "aliases-INITIAL_FORMS": 1,
        "aliases-0-id": alias.pk,
        "aliases-0-customer": customer.pk,
        "aliases-0-value": " globex ",
        "aliases-0-label": "CRM",
    }

    response = client.post(url, form)

    customer.refresh_from_db()
    alias.refresh_from_db()
    assert response.status_code == 302
    assert (customer.name, customer.reference) == ("Globex Ltd", "Customer 7 ")
    assert (alias.value, alias.label) == (" globex ", "CRM")
    assert make.event(owner, "Customer 7 ", "2026-01-05").customer_id == customer.pk


def test_blanks_at_the_ends_of_a_reference_are_seen():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner, reference="Customer 7 ")
    make.subscription(customer, reference=" sub")

    assert "Customer 7␣" in client.get(reverse("admin:billing_customer_changelist")).content.decode()
    assert "“Customer 7␣”" in client.get(reverse("admin:billing_customer_change", args=[customer.pk])).content.decode()
    assert "␣sub" in client.get(reverse("admin:billing_subscription_changelist")).content.decode()


def test_blanks_alone_are_no_reference():
    owner = make.workspace()
    customer = make.customer(owner)
    url = reverse("admin:billing_customer_change", args=[customer.pk])

    administrator().post(url, {"name": "Globex", "reference": "  ", **aliases()})

    customer.refresh_from_db()
    assert customer.reference is None


def test_customers_are_found_by_their_full_name_and_by_a_reference_with_blanks():
    owner, client = make.workspace(), administrator()
    globex = make.customer(owner, "Globex Logistics", reference="Customer 7 ")
    make.customer(owner, "Globex Trading")

    def found(term):
        listed = client.get(reverse("admin:billing_customer_changelist"), {"q": term}).context["cl"].result_list
        picked = client.get(reverse("admin:billing_customer_pick"), {"term": term}).json()["results"]
        assert sorted(one["id"] for one in picked) == sorted(str(row.pk) for row in listed)
        return [row.pk for row in listed]

    for term in ("Globex Logistics", " globex log ", "Customer 7 "):
        assert found(term) == [globex.pk]
    assert len(found("globex")) == 2
    assert found("Logistics Globex") == []


@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "a\x00b", "a\x1b[2J", "a\x85b", "a\x7f", "a\u2028b", "a\u2029b", "a\tb"]
)
def test_reference_and_alias_with_control_characters_are_refused_on_their_fields(text):
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner)
    url = reverse("admin:billing_customer_change", args=[customer.pk])
    given = {"aliases-TOTAL_FORMS": 1, "aliases-0-value": text, "aliases-0-label": ""}

    for form in ({"reference": text, **aliases()}, {"reference": "", **aliases(), **given}):
        assert client.post(url, {"name": "Globex", **form}).status_code == 200

    customer.refresh_from_db()
    assert (customer.reference, customer.aliases.count()) == (None, 0)


def test_identifiers_that_had_line_breaks_before_are_kept_by_who_renames_the_customer():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner, aliases=["x"])
    Customer.objects.update(reference="a\nb")
    CustomerAlias.objects.update(value="x\r\ny")
    url = reverse("admin:billing_customer_change", args=[customer.pk])
    shown = page_of(client, url)
    assert (shown["reference"], shown["aliases-0-value"]) == ("ab", "xy")

    response = client.post(url, shown | {"name": "Renamed", "aliases-0-label": "CRM"})

    customer.refresh_from_db()
    alias = customer.aliases.get()
    assert (response.status_code, customer.name, customer.reference) == (302, "Renamed", "a\nb")
    assert (alias.value, alias.label) == ("x\r\ny", "CRM")
    client.post(url, page_of(client, url) | {"reference": "c"})
    customer.refresh_from_db()
    assert customer.reference == "c"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\x85b", "a\u2028b", "a\tb"])
def test_name_with_control_characters_is_refused_on_its_field(name):
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner)

    response = client.post(
        reverse("admin:billing_customer_change", args=[customer.pk]), {"name": name, "reference": "", **aliases()}
    )

    code = f"{next(ord(letter) for letter in name if not letter.isprintable()):04X}"
    assert problems_of(response) == [f"A name has no control characters; this one has U+{code}."]


def test_customer_whose_name_had_control_characters_before_is_shown_and_changed_otherwise():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner)
    Customer.objects.update(name="Glo\x1bbex")
    url = reverse("admin:billing_customer_change", args=[customer.pk])

    assert client.get(url).status_code == 200
    response = client.post(url, {"name": "Glo\x1bbex", "reference": "C-1", **aliases()})

    customer.refresh_from_db()
    assert (response.status_code, customer.reference) == (302, "C-1")
