from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from billing import parties
from billing.models import Customer, CustomerAlias
from billing.parties import customers
from tests import factories as make

pytestmark = pytest.mark.django_db

KNOWN = UUID("7f0c6a52-52a8-4f5a-8c7e-0a1f8d2f4f11")


@pytest.fixture
def told(monkeypatch) -> list[tuple[str, str]]:
    """Which customer has got which names, in order."""
    names: list[tuple[str, str]] = []

    def note(customer, given, actor):
        names.extend((customer.name, name) for name in given)

    monkeypatch.setattr(customers, "on_new_names", [note])
    return names


def refused(function, **arguments) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        function(**arguments, actor=make.ACTOR)
    return list(refusal.value.message_dict)


def test_customer_is_created_with_its_names(told):
    owner = make.workspace()

    customer = parties.create_customer(
        workspace=owner,
        name="Globex",
        reference="C-1",
        email="ap@globex.example",
        address="1 Main St",
        id=KNOWN,
        aliases=["gx", "globex-eu"],
        actor=make.ACTOR,
    )

    assert Customer.objects.get() == customer
    assert (customer.pk, customer.reference, customer.email, customer.address) == (
        KNOWN,
        "C-1",
        "ap@globex.example",
        "1 Main St",
    )
    assert [(alias.workspace, alias.value) for alias in customer.aliases.order_by("id")] == [
        (owner, "gx"),
        (owner, "globex-eu"),
    ]
    assert told == [("Globex", name) for name in (str(KNOWN), "C-1", "gx", "globex-eu")]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"email": "nobody"}, ["email"]),
        ({"reference": "x" * 101}, ["reference"]),
        ({"reference": "C-1"}, ["reference"]),
        ({"reference": "VOID"}, ["reference"]),
        ({"id": KNOWN}, ["id"]),
        ({"aliases": ["taken"]}, ["aliases"]),
        ({"aliases": ["new", "new"]}, ["aliases"]),
        ({"aliases": [""]}, ["aliases"]),
        ({"aliases": ["VOID"]}, ["aliases"]),
        ({"aliases": ["x" * 256]}, ["aliases"]),
    ],
)
def test_bad_or_taken_field_is_named_and_nobody_is_created(told, changes, fields):
    owner = make.workspace()
    make.customer(owner, reference="C-1", id=KNOWN, aliases=["taken"])
    told.clear()

    assert refused(parties.create_customer, **{"workspace": owner, "name": "Initech"} | changes) == fields

    assert (Customer.objects.count(), CustomerAlias.objects.count(), told) == (1, 1, [])


def test_names_are_taken_within_a_workspace_only():
    owner = make.workspace()
    for workspace in (owner, owner.twin):
        make.customer(workspace, reference="C-1", aliases=["gx"])

    assert CustomerAlias.objects.count() == 2


def test_a_customer_that_had_the_name_of_nobody_before_keeps_it_until_it_is_changed():
    customer = make.customer(make.workspace(), reference="C-1")
    assert refused(parties.update_customer, customer=customer, reference="VOID") == ["reference"]
    Customer.objects.update(reference="VOID")

    assert (
        parties.update_customer(customer=customer, name="Initech", reference="VOID", actor=make.ACTOR).reference
        == "VOID"
    )
    assert parties.update_customer(customer=customer, reference="C-2", actor=make.ACTOR).reference == "C-2"


def test_what_is_given_is_changed_and_the_rest_stays(told):
    customer = make.customer(make.workspace(), reference="C-1", email="ap@globex.example", address="1 Main St")
    told.clear()

    parties.update_customer(customer=customer, name="Globex Ltd", address="", actor=make.ACTOR)
    changed = Customer.objects.get()
    assert (changed.name, changed.reference, changed.email, changed.address) == (
        "Globex Ltd",
        "C-1",
        "ap@globex.example",
        "",
    )
    assert told == []

    parties.update_customer(customer=customer, reference="C-2", actor=make.ACTOR)
    assert told == [("Globex Ltd", "C-2")]
    parties.update_customer(customer=customer, reference="", actor=make.ACTOR)
    assert Customer.objects.get().reference is None


def test_change_of_a_customer_is_refused_on_its_field():
    owner = make.workspace()
    make.customer(owner, reference="C-1")
    customer = make.customer(owner, "Initech")

    assert refused(parties.update_customer, customer=customer, reference="C-1") == ["reference"]
    assert refused(parties.update_customer, customer=customer, name="") == ["name"]
    assert refused(parties.update_customer, customer=customer, email="nobody") == ["email"]
    assert Customer.objects.get(pk=customer.pk).name == "Initech"


def test_alias_is_added_changed_moved_and_removed(told):
    owner = make.workspace()
    globex, initech = make.customer(owner), make.customer(owner, "Initech")
    told.clear()

    alias = parties.add_alias(customer=globex, value="gx", label="Europe", actor=make.ACTOR)
    assert (alias.workspace, alias.customer, alias.value, alias.label) == (owner, globex, "gx", "Europe")
    parties.update_alias(alias=alias, label="", actor=make.ACTOR)
    parties.update_alias(alias=alias, customer=initech, actor=make.ACTOR)
    parties.update_alias(alias=alias, value="in", actor=make.ACTOR)
    assert CustomerAlias.objects.values_list("customer__name", "value", "label").get() == ("Initech", "in", "")
    assert told == [("Globex", "gx"), ("Initech", "in")]
    parties.remove_alias(alias=alias, actor=make.ACTOR)
    assert not CustomerAlias.objects.exists()


def test_change_of_an_alias_is_refused_on_its_field():
    owner = make.workspace()
    customer = make.customer(owner, aliases=["gx", "globex-eu"])
    alias = customer.aliases.get(value="gx")
    stranger = make.customer(owner.twin)

    for value in ("globex-eu", "", "VOID", "x" * 256):
        assert refused(parties.add_alias, customer=customer, value=value) == ["value"]
        assert refused(parties.update_alias, alias=alias, value=value) == ["value"]
    assert refused(parties.add_alias, customer=customer, value="new", label="x" * 256) == ["label"]
    assert refused(parties.update_alias, alias=alias, customer=stranger) == ["customer"]
    assert sorted(customer.aliases.values_list("value", flat=True)) == ["globex-eu", "gx"]
