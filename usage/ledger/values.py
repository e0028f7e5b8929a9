"""Validate the values of records, and define the results of recording."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.money import DigitsRefused, exact_digits
from billing.storage.jsontext import can_be_kept, stored_size
from usage.ledger.refusals import PropertiesRefused, QuantityRefused
from usage.models import UsageRecord

DIGITS_BEFORE_POINT = 15
DIGITS_AFTER_POINT = 9


@dataclass(frozen=True, slots=True)
class Recorded:
    """A line's record as stored. ``handle`` is the id to return to the sender; times are UTC.

    Clients identify the line by ``line_number``, and by ``line_reference`` if it has one.
    """

    id: int
    handle: int
    line_id: int
    line_number: int
    quantity: Decimal
    occurred_at: datetime
    recorded_at: datetime
    source: str
    is_late: bool
    line_reference: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as stored. ``customer_id`` is None while its alias resolves to no customer."""

    id: int
    handle: int
    key: str | None
    customer_id: UUID | None
    customer_alias: str
    event_type: str
    occurred_at: datetime
    recorded_at: datetime
    properties: dict[str, Any]
    is_late: bool

    @classmethod
    def of(cls, record: UsageRecord) -> "RecordedEvent":
        """Return the event of a saved record."""
        return cls(
            id=record.pk,
            handle=record.handle,
            key=record.key,
            customer_id=record.customer_id,
            customer_alias=str(record.customer_alias),
            event_type=str(record.event_type),
            occurred_at=record.occurred_at,
            recorded_at=record.recorded_at,
            properties=record.properties,
            is_late=record.is_late,
        )


def exact_quantity(quantity: Decimal | None) -> Decimal:
    """Return a quantity with the ledger's 9 digits after the point.

    Raises ``QuantityRefused`` if it is not a finite decimal, or has more digits than the ledger can store.
    """
    if not isinstance(quantity, Decimal) or not quantity.is_finite():
        raise QuantityRefused("A valid number is required.")
    try:
        return exact_digits(quantity, before=DIGITS_BEFORE_POINT, after=DIGITS_AFTER_POINT)
    except DigitsRefused as error:
        raise QuantityRefused(str(error)) from error


def adapt(field: str, value: Any, model: type = UsageRecord) -> Any:
    """Return a value adapted for the driver, as the value of a model's field."""
    return model._meta.get_field(field).get_db_prep_value(value, connection)  # type: ignore[attr-defined]


def adapt_properties(properties: Any) -> Any:
    """Return properties adapted for the driver.

    Raises ``PropertiesRefused`` if a database can't store them exactly, or they are too large.
    """
    if properties is None:
        return None
    if not can_be_kept(properties):
        raise PropertiesRefused("These properties are nested too deeply, or contain a number with too many digits.")
    try:
        size = stored_size(properties)
    except (ValueError, TypeError, RecursionError) as error:
        raise PropertiesRefused("These properties can't be stored.") from error
    if size > settings.PROPERTIES_BYTES:
        raise PropertiesRefused(f"The properties of a record have at most {settings.PROPERTIES_BYTES} bytes.")
    return adapt("properties", properties)
