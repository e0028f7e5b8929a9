"""Customers and their aliases in the panel."""

import pytest
from django.urls import reverse

from billing import parties
from billing.models import Customer, CustomerAlias
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of, problems_of
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]

CUSTOMER_ID = "0a6f5d5e-2f4e-4d6b-9a51-0c3c1c0a1b2c"


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
    assert problems_of(response) == [f"A name can't contain control characters; this one has U+{code}."]


def test_customer_whose_name_had_control_characters_before_is_shown_and_changed_otherwise():
    owner, client = make.workspace(), administrator()
    customer = make.customer(owner)
    Customer.objects.update(name="Glo\x1bbex")
    url = reverse("admin:billing_customer_change", args=[customer.pk])

    assert client.get(url).status_code == 200
    response = client.post(url, {"name": "Glo\x1bbex", "reference": "C-1", **aliases()})

    customer.refresh_from_db()
    assert (response.status_code, customer.reference) == (302, "C-1")


def inline(*aliases: CustomerAlias, **changes: object) -> dict[str, object]:
    rows: dict[str, object] = {"aliases-TOTAL_FORMS": len(aliases), "aliases-INITIAL_FORMS": len(aliases)}
    for n, alias in enumerate(aliases):
        given = {"id": alias.pk, "customer": alias.customer_id, "value": alias.value, "label": alias.label}
        rows |= {f"aliases-{n}-{name}": value for name, value in given.items()}
    return {"name": "Globex", "reference": "", "email": "", "address": ""} | rows | changes


def test_names_that_are_given_in_the_panel_match_what_waits():
    owner, client = make.workspace(), administrator()
    globex = make.customer(owner, aliases=["old", "gone"])
    old, gone = globex.aliases.order_by("id")
    for name in ("new", "added", "C-9"):
        make.event(owner, name, "2026-01-05")
    added = {"aliases-2-value": "added", "aliases-2-label": "Europe", "aliases-2-customer": globex.pk}
    changes = {"aliases-0-value": "new", "aliases-1-DELETE": "on", "aliases-TOTAL_FORMS": 3, "reference": "C-9"}

    response = client.post(
        reverse("admin:billing_customer_change", args=[globex.pk]), inline(old, gone, **added, **changes)
    )

    assert response.status_code == 302
    assert list(globex.aliases.order_by("value").values_list("value", "label")) == [("added", "Europe"), ("new", "")]
    assert set(UsageRecord.objects.live().values_list("customer", flat=True)) == {globex.pk}


def test_customer_who_is_added_gets_what_waits():
    owner = make.workspace()
    make.event(owner, "gx", "2026-01-05")
    data = inline(**{"aliases-TOTAL_FORMS": 1, "aliases-0-value": "gx", "aliases-0-label": ""})

    administrator().post(reverse("admin:billing_customer_add"), data | {"workspace": owner.pk, "id": CUSTOMER_ID})

    assert str(UsageRecord.objects.live().get().customer_id) == CUSTOMER_ID


def test_alias_that_names_nobody_is_refused():
    globex = make.customer(make.workspace())
    data = inline(**{"aliases-TOTAL_FORMS": 1, "aliases-0-value": "VOID", "aliases-0-label": ""})

    response = administrator().post(reverse("admin:billing_customer_change", args=[globex.pk]), data)

    assert problems_of(response) == ["“VOID” is reserved: senders retract an event by this alias."]
    assert not CustomerAlias.objects.exists()


def test_reference_that_names_nobody_is_refused():
    globex = make.customer(make.workspace(), reference="C-1")

    response = administrator().post(
        reverse("admin:billing_customer_change", args=[globex.pk]), inline(reference="VOID")
    )

    assert problems_of(response) == ["“VOID” is reserved: senders retract an event by this alias."]
    globex.refresh_from_db()
    assert globex.reference == "C-1"
