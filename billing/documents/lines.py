"""Lines of an invoice: from a draft's value to the stored row, and from the row to the line of a document.

This is the only mapping. APIs use it as well; for the lines of an upcoming invoice with rows that are never saved.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

import msgspec

from billing.models import InvoiceLine, Line, Price
from billing.money import format_decimal, round_money
from billing.rating import Charge, Step, Terms

if TYPE_CHECKING:
    from billing.invoicing import DraftLine

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def columns_of(draft: "DraftLine") -> dict[str, Any]:
    """Return a draft's line as columns of ``InvoiceLine``, except workspace, invoice and position."""
    charge = draft.charge
    return {
        "line_id": draft.line_id,
        "price_id": draft.price_id,
        "rule_id": draft.rule_id,
        "kind": draft.kind,
        "description": draft.description,
        "starts_at": draft.period.starts_at,
        "ends_at": draft.period.ends_at,
        "days": draft.days,
        "of_days": draft.of_days,
        "cutoff": draft.cutoff,
        "quantity": draft.quantity,
        "record_count": draft.record_count,
        "unread_count": draft.unread_count,
        "missing_count": draft.missing_count,
        "unread_sample": list(draft.unread_sample),
        "filter_gaps": dict(draft.filter_gaps),
        "rated": charge.amount,
        "billed_before": draft.billed_before,
        "amount": draft.amount,
        "steps": steps_of(charge),
        "surprise": charge.surprise,
        "surprises": draft.surprises,
    }


def steps_of(charge: Charge) -> list[dict[str, Any]]:
    """Return the steps of a charge ready for JSON, as rows and documents keep them."""
    return [_step_as_dict(step) for step in charge.steps]


def unsaved_line(draft: "DraftLine", *, position: int, line: Line) -> InvoiceLine:
    """Return a draft's line as an unsaved row, for a preview. ``line``: loaded with its brick and price."""
    row = InvoiceLine(workspace_id=line.workspace_id, position=position, **columns_of(draft))
    row.line, row.price = line, line.price
    return row


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[starts_at, ends_at), in UTC."""

    starts_at: Moment
    ends_at: Moment

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the span of an invoice or of one of its lines."""
        return cls(starts_at=row.starts_at, ends_at=row.ends_at)

    def as_dict(self) -> dict[str, Any]:
        return {"starts_at": moment(self.starts_at), "ends_at": moment(self.ends_at)}


class DocumentTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tier of a price. ``up_to``: the inclusive upper bound, None if the tier is open."""

    up_to: Decimal | None
    unit_price: Decimal
    fee: Decimal

    def as_dict(self) -> dict[str, Any]:
        return {
            "up_to": _number(self.up_to),
            "unit_price": format_decimal(self.unit_price),
            "fee": format_decimal(self.fee),
        }


class DocumentTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms by which the quantity was rated, as agreed when the invoice was issued."""

    model: str
    currency: str
    unit_price: Decimal
    tiers: tuple[DocumentTier, ...]

    @classmethod
    def of(cls, terms: Terms) -> Self:
        tiers = tuple(DocumentTier(up_to=tier.up_to, unit_price=tier.unit_price, fee=tier.fee) for tier in terms.tiers)
        return cls(model=terms.model.name, currency=terms.currency, unit_price=terms.unit_price, tiers=tiers)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "currency": self.currency,
            "unit_price": format_decimal(self.unit_price),
            "tiers": [tier.as_dict() for tier in self.tiers],
        }


class DocumentPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price of a line, with its name and terms at that time."""

    id: int
    name: str
    terms: DocumentTerms

    @classmethod
    def of(cls, price: Price) -> Self:
        """Return a price, loaded with its tiers. Raises ``TermsError`` if they are incomplete."""
        return cls(id=price.pk, name=price.name, terms=DocumentTerms.of(price.terms()))

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "terms": self.terms.as_dict()}


class DocumentStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of the calculation; amounts are not rounded. ``lower`` (exclusive), ``upper``: bounds of its tier."""

    kind: str
    text: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    lower: Decimal | None
    upper: Decimal | None

    def as_dict(self) -> dict[str, Any]:
        return _step_as_dict(self)


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of an invoice with its price's terms and the steps of its calculation.

    ``rated``, ``billed_before`` and ``amount`` are rounded to the currency's minor unit and keep its decimals.
    """

    position: int
    kind: str
    description: str
    line_number: int = msgspec.field(name="line_id")
    brick_id: UUID
    aggregation: str
    unit_label: str
    period: Span
    days: int
    of_days: int
    cutoff: int
    quantity: Decimal
    record_count: int
    price: DocumentPrice
    steps: tuple[DocumentStep, ...]
    surprise: str
    rated: Decimal
    billed_before: Decimal
    amount: Decimal

    @classmethod
    def of(cls, row: InvoiceLine, *, currency: str, price: DocumentPrice | None = None) -> Self:
        """Return the line of a row. Reads the row's line with its brick, and its price with its tiers: load them.

        ``price``: the row's, if already available. Raises ``TermsError`` if the price's tiers are incomplete.
        """
        brick = row.line.brick
        return cls(
            position=row.position,
            kind=row.kind,
            description=row.description,
            line_number=row.line.number,
            brick_id=brick.pk,
            aggregation=brick.aggregation,
            unit_label=brick.unit_label,
            period=Span.of(row),
            days=row.days,
            of_days=row.of_days,
            cutoff=row.cutoff,
            quantity=row.quantity,
            record_count=row.record_count,
            price=price or DocumentPrice.of(row.price),
            steps=msgspec.convert(row.steps, tuple[DocumentStep, ...]),
            surprise=row.surprise,
            rated=round_money(row.rated, currency=currency),
            billed_before=round_money(row.billed_before, currency=currency),
            amount=round_money(row.amount, currency=currency),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the line ready for JSON: decimals as text, moments in UTC."""
        return {
            "position": self.position,
            "kind": self.kind,
            "description": self.description,
            "line_id": self.line_number,
            "brick_id": str(self.brick_id),
            "aggregation": self.aggregation,
            "unit_label": self.unit_label,
            "period": self.period.as_dict(),
            "days": self.days,
            "of_days": self.of_days,
            "cutoff": self.cutoff,
            "quantity": format_decimal(self.quantity),
            "record_count": self.record_count,
            "price": self.price.as_dict(),
            "steps": [step.as_dict() for step in self.steps],
            "surprise": self.surprise,
            "rated": amount_text(self.rated),
            "billed_before": amount_text(self.billed_before),
            "amount": amount_text(self.amount),
        }


def moment(value: datetime) -> str:
    """Return a moment in UTC as ISO 8601 with a Z."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def amount_text(value: Decimal) -> str:
    """Return a rounded amount with its decimals: "20.00". Raises ``ValueError`` for NaN and infinities."""
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    return format(value, "f")


def _step_as_dict(step: Step | DocumentStep) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "text": step.text,
        "quantity": _number(step.quantity),
        "unit_price": _number(step.unit_price),
        "amount": format_decimal(step.amount),
        "lower": _number(step.lower),
        "upper": _number(step.upper),
    }


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)
