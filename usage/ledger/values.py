"""What goes into the ledger and what comes back: exact quantities, properties that can be kept, what was recorded."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.models import Line
from billing.money import EXACT
from billing.storage.jsontext import can_be_kept, stored_size
from usage.ledger.refusals import Life, PropertiesRefused, QuantityRefused
from usage.models import UsageRecord

DIGITS_BEFORE_POINT = 15
DIGITS_AFTER_POINT = 9


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger took. ``handle`` is the id to tell the sender; times are UTC.

    ``line_number`` is what clients call its line; ``line_reference`` is what else they do, where it has one.
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
    """The event that the ledger took. ``customer_id``: whom its alias named, None while it names nobody."""

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


def exact_quantity(quantity: Decimal | None) -> Decimal:
    """Return the quantity as the ledger keeps it; raise ``QuantityRefused`` where it would not be kept exactly."""
    if not isinstance(quantity, Decimal) or not quantity.is_finite():
        raise QuantityRefused("A valid number is required.")
    if quantity and quantity.adjusted() >= DIGITS_BEFORE_POINT:
        raise QuantityRefused(
            f"Ensure that there are no more than {DIGITS_BEFORE_POINT} digits before the decimal point."
        )
    exact = quantity.quantize(Decimal(1).scaleb(-DIGITS_AFTER_POINT), context=EXACT)
    if exact != quantity:
        raise QuantityRefused(f"Ensure that there are no more than {DIGITS_AFTER_POINT} decimal places.")
    return exact


def adapt(field: str, value: Any, model: type = UsageRecord) -> Any:
    """Return a value as the connection's driver takes it for a model's field."""
    return model._meta.get_field(field).get_db_prep_value(value, connection)  # type: ignore[attr-defined]


def adapt_properties(properties: Any) -> Any:
    """Return properties as the driver takes them; raise ``PropertiesRefused`` where they would not be kept."""
    if properties is None:
        return None
    if not can_be_kept(properties):
        raise PropertiesRefused("These properties are nested too deeply, or hold a number with too many digits.")
    try:
        size = stored_size(properties)
    except (ValueError, TypeError, RecursionError) as error:
        raise PropertiesRefused("These properties can't be stored.") from error
    if size > settings.PROPERTIES_BYTES:
        raise PropertiesRefused(f"The properties of a record have at most {settings.PROPERTIES_BYTES} bytes.")
    return adapt("properties", properties)


def life(line: Line) -> Life:
    """Return from when until when a line is active, in its workspace's time."""
    return line.workspace.local(line.starts_at), line.workspace.local(line.ends_at) if line.ends_at else None
