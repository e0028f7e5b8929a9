"""Customers and their names: an id, a reference and aliases, under which their usage is reported."""

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing import history, names
from billing.actors import Actor
from billing.models import Customer, CustomerAlias, Name, Workspace
from billing.tenancy import Across, across

# The alias of no customer: a sender retracts an event by reporting it again under this alias.
NOBODY = "VOID"

# Called with all new names of a customer (id, reference, aliases) and the actor, in the transaction that assigns them.
# The ledger matches events that it received earlier under these names: billing does not import the ledger.
on_new_names: list[Callable[[Customer, Sequence[str], Actor], None]] = []


@transaction.atomic
def create_customer(
    *,
    workspace: Workspace,
    name: str,
    reference: str | None = None,
    email: str = "",
    address: str = "",
    id: uuid.UUID | None = None,  # noqa: A002  (the field's own name)
    aliases: Sequence[str] = (),
    actor: Actor,
) -> Customer:
    """Add a customer with its aliases; raise ``ValidationError`` naming the field.

    ``id`` and ``reference`` adopt identifiers that clients of another system already use. Refused are an id, reference
    or alias of another customer, and ``VOID``, the alias of no customer.
    """
    refuse_nobody(reference, field="reference")
    customer = Customer(
        id=id or uuid.uuid4(), workspace=workspace, name=name, reference=reference or None, email=email, address=address
    )
    _save(customer, taken=_what_is_taken, actor=actor)
    try:
        for value in aliases:
            _save_alias(CustomerAlias(workspace=workspace, customer=customer, value=value), actor)
        _refuse_too_many(customer)
    except ValidationError as error:
        raise ValidationError(
            {"aliases": [one for refusals in error.error_dict.values() for one in refusals]}
        ) from error
    fields = dict.fromkeys(aliases, "aliases") | {str(customer.pk): "id"}
    _give(customer, fields | ({customer.reference: "reference"} if customer.reference else {}))
    _tell(customer, [str(customer.pk), *filter(None, [customer.reference]), *aliases], actor)
    return customer


def _what_is_taken(customer: Customer) -> dict[str, str]:
    with across(Across.GIVEN_ID):
        if Customer.objects.filter(pk=customer.pk).exists():
            return {"id": "A customer with this id already exists."}
    return {"reference": "A customer with this reference already exists."}


@transaction.atomic
def update_customer(
    *,
    customer: Customer,
    name: str | None = None,
    reference: str | None = None,
    email: str | None = None,
    address: str | None = None,
    actor: Actor,
) -> Customer:
    """Change the given values of a customer; an empty text removes one. Raises ``ValidationError`` naming the field.

    Usage that was reported under a former reference stays the customer's. ``VOID`` is refused.
    """
    customers = Customer.objects.select_for_update(of=("self",), no_key=True).select_related("workspace")
    customer = customers.get(workspace_id=customer.workspace_id, pk=customer.pk)
    former = customer.reference
    changes = {"name": name, "reference": reference, "email": email, "address": address}
    if reference != former:
        refuse_nobody(reference, field="reference")
    as_before = {field for field, value in changes.items() if value is None or value == getattr(customer, field)}
    for field, value in changes.items():
        if value is not None:
            setattr(customer, field, value)
    customer.reference = customer.reference or None
    taken = {"reference": "A customer with this reference already exists."}
    _save(customer, taken=lambda _: taken, as_before=as_before, fields=changes, actor=actor)
    if customer.reference != former:
        _take_back(customer, [former] if former else [])
    if customer.reference and customer.reference != former:
        _give(customer, {customer.reference: "reference"})
        _tell(customer, [customer.reference], actor)
    return customer


@transaction.atomic
def add_alias(*, customer: Customer, value: str, label: str = "", actor: Actor) -> CustomerAlias:
    """Add an alias to a customer; unmatched events under this alias are matched with the customer.

    Raises ``ValidationError`` naming the field if another customer of the workspace has the name, for ``VOID``, and
    beyond ``ALIASES_PER_CUSTOMER`` aliases.
    """
    alias = CustomerAlias(workspace_id=customer.workspace_id, customer=customer, value=value, label=label)
    _save_alias(alias, actor)
    _refuse_too_many(customer)
    _give(customer, {value: "value"})
    _tell(customer, [value], actor)
    return alias


@transaction.atomic
def update_alias(
    *,
    alias: CustomerAlias,
    value: str | None = None,
    label: str | None = None,
    customer: Customer | None = None,
    actor: Actor,
) -> CustomerAlias:
    """Change the given values of an alias; raise ``ValidationError`` naming the field. Recorded usage stays."""
    aliases = CustomerAlias.objects.select_for_update(of=("self",)).select_related("customer")
    alias = aliases.get(workspace_id=alias.workspace_id, pk=alias.pk)
    former, owner = alias.value, alias.customer
    if customer is not None and customer.workspace_id != alias.workspace_id:
        raise ValidationError({"customer": "This customer belongs to another workspace."})
    alias.customer = customer or alias.customer
    alias.value = alias.value if value is None else value
    alias.label = alias.label if label is None else label
    _save_alias(alias, actor, as_before=["value"] if alias.value == former else [])
    if alias.customer != owner:
        _refuse_too_many(alias.customer)
    if (alias.value, alias.customer) != (former, owner):
        _take_back(owner, [former])
        _give(alias.customer, {alias.value: "value"})
    if alias.value != former:
        _tell(alias.customer, [alias.value], actor)
    return alias


@transaction.atomic
def remove_alias(*, alias: CustomerAlias, actor: Actor) -> None:
    """Remove an alias of a customer; usage that was reported under it stays the customer's."""
    aliases = CustomerAlias.objects.select_for_update(of=("self",)).select_related("customer")
    removed = aliases.filter(workspace_id=alias.workspace_id, pk=alias.pk).first()
    if removed is not None:
        history.delete(removed, actor=actor)
        _take_back(removed.customer, [removed.value])


def refuse_nobody(value: str | None, *, field: str) -> None:
    """Raise ``ValidationError`` naming ``field`` for the reserved alias ``VOID``, which belongs to no customer."""
    if value == NOBODY:
        raise ValidationError({field: f"“{NOBODY}” is reserved: senders retract an event by this alias."})


def _refuse_too_many(customer: Customer) -> None:
    """Raise ``ValidationError`` if a customer has too many aliases; other writers of aliases wait until commit."""
    most = settings.ALIASES_PER_CUSTOMER
    names.lock(workspace_id=customer.workspace_id, kind=Name.Kind.CUSTOMER, names=[str(customer.pk)])
    # Stop counting at the limit: customers that are older than the limit may have many more.
    aliases = CustomerAlias.objects.filter(workspace=customer.workspace_id, customer=customer).order_by()
    if aliases[: most + 1].count() > most:
        raise ValidationError({"value": f"A customer has at most {most} aliases."})


def _save_alias(alias: CustomerAlias, actor: Actor, *, as_before: Collection[str] = ()) -> None:
    if "value" not in as_before:
        refuse_nobody(alias.value, field="value")
    taken = {"value": "A customer with this alias already exists."}
    _save(alias, taken=lambda _: taken, as_before=as_before, fields=("customer", "value", "label"), actor=actor)


def _save(
    row: Customer | CustomerAlias,
    *,
    taken: Callable[[Any], dict[str, str]],
    as_before: Collection[str] = (),
    fields: Collection[str] = (),
    actor: Actor,
) -> None:
    """Validate a row's fields, except those ``as_before``; insert a new row, or save these fields of a stored one.

    ``taken`` returns the messages by field for a violated unique constraint.
    """
    row.full_clean(exclude=as_before, validate_unique=False, validate_constraints=False)
    try:
        with transaction.atomic():
            if row._state.adding:
                history.insert(row, actor=actor)
            else:
                history.save(row, fields=fields, actor=actor)
    except IntegrityError as error:
        refusals = {name: ValidationError(message, code="unique") for name, message in taken(row).items()}
        raise ValidationError(refusals) from error


def _give(customer: Customer, fields: dict[str, str]) -> None:
    names.give(workspace_id=customer.workspace_id, kind=Name.Kind.CUSTOMER, owner=str(customer.pk), names=fields)


def _take_back(customer: Customer, former: Sequence[str]) -> None:
    names.lock(workspace_id=customer.workspace_id, kind=Name.Kind.CUSTOMER, names=former)
    references = Customer.objects.values_list("reference", flat=True)
    reference = references.get(workspace_id=customer.workspace_id, pk=customer.pk)
    kept = [str(customer.pk), *filter(None, [reference]), *customer.aliases.values_list("value", flat=True)]
    names.take_back(
        workspace_id=customer.workspace_id, kind=Name.Kind.CUSTOMER, owner=str(customer.pk), names=former, kept=kept
    )


def _tell(customer: Customer, given: Sequence[str], actor: Actor) -> None:
    for tell in on_new_names:
        tell(customer, given, actor)
