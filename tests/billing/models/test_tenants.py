"""Rows of a tenant are saved, read again and deleted within their workspace, even where only their id is known."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models.signals import post_delete, pre_delete

from billing.models import Brick, Customer, CustomerAlias
from tests import factories as make

pytestmark = pytest.mark.django_db


def as_of_another(customer: Customer) -> Customer:
    """Return a row in memory with this one's id, in another workspace."""
    return Customer(id=customer.pk, workspace=make.workspace("initech"), name="Forged")


def test_a_row_is_saved_in_its_own_workspace_alone():
    globex = make.customer(make.workspace())
    forged = as_of_another(globex)
    forged._state.adding = False

    with pytest.raises(DatabaseError), transaction.atomic():
        forged.save(force_update=True)

    globex.refresh_from_db()
    assert globex.name == "Globex"


def test_a_row_is_read_again_in_its_own_workspace_alone():
    globex = make.customer(make.workspace())
    Customer.objects.filter(pk=globex.pk, workspace=globex.workspace).update(name="Renamed")

    globex.refresh_from_db()

    assert globex.name == "Renamed"
    with pytest.raises(Customer.DoesNotExist):
        as_of_another(globex).refresh_from_db()


def test_a_row_is_deleted_in_its_own_workspace_alone():
    globex = make.customer(make.workspace())

    assert as_of_another(globex).delete()[0] == 0
    assert Customer.objects.filter(pk=globex.pk, workspace=globex.workspace).exists()


def test_who_listens_is_told_of_a_deletion():
    globex = make.customer(make.workspace(), aliases=["gx"])
    alias = globex.aliases.get()
    told: list[tuple[str, object]] = []

    def before(*, instance, **_):
        told.append(("before", instance))

    def after(*, instance, **_):
        told.append(("after", instance))

    pre_delete.connect(before, sender=CustomerAlias)
    post_delete.connect(after, sender=CustomerAlias)
    try:
        assert alias.delete() == (1, {"billing.CustomerAlias": 1})
    finally:
        pre_delete.disconnect(before, sender=CustomerAlias)
        post_delete.disconnect(after, sender=CustomerAlias)

    assert told == [("before", alias), ("after", alias)]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_others_refer_to_is_not_deleted():
    line = make.line()

    with pytest.raises(IntegrityError):
        line.subscription.customer.delete()


def test_an_id_is_unique_over_all_workspaces_and_a_reference_in_its_own():
    brick = make.brick(make.workspace(), reference="B-1")
    there = make.workspace("initech")

    def like(**taken: object) -> Brick:
        given: dict[str, object] = {"workspace": there, "name": "Calls", "aggregation": "sum"} | taken
        return Brick(**given)

    with pytest.raises(ValidationError) as refusal:
        like(id=brick.pk).full_clean(validate_constraints=False)
    assert list(refusal.value.message_dict) == ["id"]
    like(reference="B-1").full_clean(validate_constraints=False)
