"""Opening a workspace, and its customers with the names under which usage is reported of them."""

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from billing import names
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.models import Customer, CustomerAlias, Name, NumberSeries, Workspace
from billing.tenancy import Across, across

# The name of nobody: senders take an event back by reporting it again under this one.
NOBODY = "VOID"

# Told of all further names of a customer (its id, its reference, aliases) in the transaction that gives them. The
# ledger adds what matches the events that came under them before: billing does not know the ledger.
on_new_names: list[Callable[[Customer, Sequence[str]], None]] = []


@transaction.atomic
def create_workspace(
    *,
    code: str,
    name: str,
    time_zone: str,
    currency: str,
    closing: str = Workspace.Closing.MANUAL,
    closing_delay_hours: int = 1,
    number_format: str = NumberFormat.POINT,
    day_format: str = DayFormat.ISO,
) -> Workspace:
    """Open a live workspace together with its test-mode twin and their number series; return the live one.

    ``time_zone`` is an IANA name, ``currency`` an ISO 4217 code; the formats are how its people write. Raises
    ``ValidationError`` on a bad field or a code that is taken.
    """
    live = Workspace(
        code=code,
        name=name,
        time_zone=time_zone,
        currency=currency,
        closing=closing,
        closing_delay_hours=closing_delay_hours,
        number_format=number_format,
        day_format=day_format,
    )
    live.full_clean()
    live.save()
    twin = Workspace(
        code=code,
        mode=Workspace.Mode.TEST,
        live=live,
        name=name,
        time_zone=time_zone,
        currency=currency,
        closing_delay_hours=closing_delay_hours,
        number_format=number_format,
        day_format=day_format,
    )
    twin.save()
    NumberSeries.objects.bulk_create(
        NumberSeries(workspace=workspace, kind=kind) for workspace in (live, twin) for kind in NumberSeries.Kind
    )
    return live


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
) -> Customer:
    """Add a customer with its aliases; raise ``ValidationError`` naming the field, also of an id or name that is taken.

    ``id`` and ``reference`` take over what clients of another system already hold. ``VOID`` names nobody.
    """
    refuse_nobody(reference, field="reference")
    customer = Customer(
        id=id or uuid.uuid4(), workspace=workspace, name=name, reference=reference or None, email=email, address=address
    )
    _save(customer, taken=_what_is_taken, force_insert=True)
    try:
        for value in aliases:
            _save_alias(CustomerAlias(workspace=workspace, customer=customer, value=value))
        _refuse_too_many(customer)
    except ValidationError as error:
        raise ValidationError({"aliases": [one for told in error.error_dict.values() for one in told]}) from error
    fields = dict.fromkeys(aliases, "aliases") | {str(customer.pk): "id"}
    _give(customer, fields | ({customer.reference: "reference"} if customer.reference else {}))
    _tell(customer, [str(customer.pk), *filter(None, [customer.reference]), *aliases])
    return customer


def _what_is_taken(customer: Customer) -> dict[str, str]:
    with across(Across.GIVEN_ID):
        if Customer.objects.filter(pk=customer.pk).exists():
            return {"id": "A customer has this id already."}
    return {"reference": "A customer has this reference already."}


@transaction.atomic
def update_customer(
    *,
    customer: Customer,
    name: str | None = None,
    reference: str | None = None,
    email: str | None = None,
    address: str | None = None,
) -> Customer:
    """Change what is given, where an empty text empties; raise ``ValidationError`` naming the field.

    Usage that was reported under a former reference stays the customer's. ``VOID`` names nobody.
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
    taken = {"reference": "A customer has this reference already."}
    _save(customer, taken=lambda _: taken, as_before=as_before, update_fields=changes)
    if customer.reference != former:
        _take_back(customer, [former] if former else [])
    if customer.reference and customer.reference != former:
        _give(customer, {customer.reference: "reference"})
        _tell(customer, [customer.reference])
    return customer


@transaction.atomic
def add_alias(*, customer: Customer, value: str, label: str = "") -> CustomerAlias:
    """Give a customer a further name; events that waited under it are the customer's from now on.

    Raises ``ValidationError`` naming the field: an alias names one customer of a workspace, and ``VOID`` nobody. A
    customer has ``ALIASES_PER_CUSTOMER`` at most.
    """
    alias = CustomerAlias(workspace_id=customer.workspace_id, customer=customer, value=value, label=label)
    _save_alias(alias)
    _refuse_too_many(customer)
    _give(customer, {value: "value"})
    _tell(customer, [value])
    return alias


@transaction.atomic
def update_alias(
    *, alias: CustomerAlias, value: str | None = None, label: str | None = None, customer: Customer | None = None
) -> CustomerAlias:
    """Change what is given; raise ``ValidationError`` naming the field. What was reported before stays as it is."""
    aliases = CustomerAlias.objects.select_for_update(of=("self",)).select_related("customer")
    alias = aliases.get(workspace_id=alias.workspace_id, pk=alias.pk)
    former, owner = alias.value, alias.customer
    if customer is not None and customer.workspace_id != alias.workspace_id:
        raise ValidationError({"customer": "This customer is of another workspace."})
    alias.customer = customer or alias.customer
    alias.value = alias.value if value is None else value
    alias.label = alias.label if label is None else label
    _save_alias(alias, as_before=["value"] if alias.value == former else [])
    if alias.customer != owner:
        _refuse_too_many(alias.customer)
    if (alias.value, alias.customer) != (former, owner):
        _take_back(owner, [former])
        _give(alias.customer, {alias.value: "value"})
    if alias.value != former:
        _tell(alias.customer, [alias.value])
    return alias


@transaction.atomic
def remove_alias(*, alias: CustomerAlias) -> None:
    """Take a name away from a customer; what was reported under it stays the customer's."""
    aliases = CustomerAlias.objects.select_for_update(of=("self",)).select_related("customer")
    removed = aliases.filter(workspace_id=alias.workspace_id, pk=alias.pk).first()
    if removed is not None:
        removed.delete()
        _take_back(removed.customer, [removed.value])


def refuse_nobody(value: str | None, *, field: str) -> None:
    """Raise ``ValidationError`` of the field whose value is the name of nobody: events under it count for nobody."""
    if value == NOBODY:
        raise ValidationError({field: f"“{NOBODY}” is how senders take an event back: it names nobody."})


def _refuse_too_many(customer: Customer) -> None:
    """Raise ``ValidationError`` where a customer has too many aliases now; others that add some wait until commit."""
    most = settings.ALIASES_PER_CUSTOMER
    names.lock(workspace_id=customer.workspace_id, kind=Name.Kind.CUSTOMER, names=[str(customer.pk)])
    # Those from before there was a bound, which may be many more, are not all counted.
    aliases = CustomerAlias.objects.filter(workspace=customer.workspace_id, customer=customer).order_by()
    if aliases[: most + 1].count() > most:
        raise ValidationError({"value": f"A customer has at most {most} aliases."})


def _save_alias(alias: CustomerAlias, *, as_before: Collection[str] = ()) -> None:
    if "value" not in as_before:
        refuse_nobody(alias.value, field="value")
    _save(alias, taken=lambda _: {"value": "A customer has this alias already."}, as_before=as_before)


def _save(
    row: Customer | CustomerAlias,
    *,
    taken: Callable[[Any], dict[str, str]],
    as_before: Collection[str] = (),
    **options: Any,
) -> None:
    """Check a row's fields, but for those ``as_before``, and save it.

    ``taken`` says which of them a unique constraint has refused.
    """
    row.full_clean(exclude=as_before, validate_unique=False, validate_constraints=False)
    try:
        with transaction.atomic():
            row.save(**options)
    except IntegrityError as error:
        told = {name: ValidationError(message, code="unique") for name, message in taken(row).items()}
        raise ValidationError(told) from error


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


def _tell(customer: Customer, given: Sequence[str]) -> None:
    for tell in on_new_names:
        tell(customer, given)
