"""Whom a name resolves to: an alias, else an id, else a reference, always to the letter."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import parties
from billing.models import Customer, CustomerAlias
from tests import factories as make
from usage import ledger
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_alias_id_and_reference_name_a_customer_in_this_order_and_to_the_letter():
    owner = make.workspace()
    by_alias = make.customer(owner, "by alias")
    by_id = make.customer(owner, "by id")
    by_reference = make.customer(owner, "by reference", reference="C-1")
    shadowed = make.customer(owner, "shadowed")
    # Such an alias is refused now.
    CustomerAlias.objects.create(workspace=owner, customer=by_alias, value=str(shadowed.pk))
    of_nobody = make.customer(owner, "void")
    # From before nobody could be called so.
    Customer.objects.filter(pk=of_nobody.pk).update(reference="VOID")

    def named(alias: str) -> str | None:
        customer_id = make.event(owner, alias, AT).customer_id
        return None if customer_id is None else Customer.objects.get(pk=customer_id).name

    assert named(str(shadowed.pk)) == "by alias"
    assert named(str(by_id.pk)) == "by id"
    assert named("C-1") == by_reference.name
    assert [named(alias) for alias in ("c-1", " C-1", str(by_id.pk).upper(), by_id.pk.hex, "VOID")] == [None] * 5
    assert not UsageRecord.objects.filter(customer=of_nobody).exists()


def test_an_alias_of_another_workspace_names_nobody():
    owner = make.workspace()
    other = make.customer(owner.twin, aliases=["gx"], reference="C-1")

    assert [make.event(owner, alias, AT).customer_id for alias in ("gx", "C-1", str(other.pk))] == [None] * 3


def test_void_names_nobody_and_never_waits():
    owner = make.workspace()
    make.event(owner, "VOID", AT)

    with pytest.raises(ValidationError, match="is reserved"):
        make.customer(owner, reference="VOID")

    assert UsageRecord.objects.get().customer is None
    assert not UsageRecord.objects.unmatched().exists()


def test_former_names_change_nothing_that_was_recorded():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    told = make.event(owner, "gx", AT)
    initech = make.customer(owner, "Initech")

    parties.update_alias(alias=globex.aliases.get(), customer=initech, actor=make.ACTOR)

    assert UsageRecord.objects.get(pk=told.id).customer == globex
    assert make.event(owner, "gx", AT).customer_id == initech.pk
    parties.remove_alias(alias=initech.aliases.get(), actor=make.ACTOR)
    assert make.event(owner, "gx", AT).customer_id is None
    assert UsageRecord.objects.count() == 3


def test_many_names_resolve_as_each_does_with_one_statement():
    owner = make.workspace()
    by_alias, by_id = make.customer(owner, "by alias", aliases=["gx", "ä"]), make.customer(owner, "by id")
    shadowed, by_reference = make.customer(owner, "shadowed"), make.customer(owner, reference="C-1")
    CustomerAlias.objects.create(workspace=owner, customer=by_alias, value=str(shadowed.pk))
    # From before the name was reserved.
    Customer.objects.filter(pk=by_id.pk).update(reference="VOID")
    theirs = make.customer(owner.twin, aliases=["theirs"])
    expected = {
        "gx": by_alias.pk,
        "ä": by_alias.pk,
        str(by_id.pk): by_id.pk,
        "C-1": by_reference.pk,
        str(shadowed.pk): by_alias.pk,
    }
    unknown = ["c-1", "GX", "", "VOID", by_id.pk.hex, str(by_id.pk).upper(), "theirs", str(theirs.pk)]

    with CaptureQueriesContext(connection) as queries:
        found = ledger.find_customers([*expected, *unknown], workspace_id=owner.pk)

    assert len(queries) == 1
    assert found == expected
    for name in filter(None, [*expected, *unknown]):
        assert make.event(owner, name, AT).customer_id == expected.get(name), name


def test_no_name_costs_no_statement():
    with CaptureQueriesContext(connection) as queries:
        assert ledger.find_customers(["VOID"], workspace_id=1) == {}

    assert len(queries) == 0
