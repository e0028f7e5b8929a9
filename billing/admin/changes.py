"""Format the history of a row for display: in the panel's words, its currency and the workspace's formats.

The history itself keeps plain, exact values, so that a workspace can change its formats later.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import DateField, DateTimeField, DecimalField, Field, Model
from django.utils.text import capfirst

from billing import figures
from billing.admin.subscription_forms import LIMITS, LimitsForm
from billing.entry.moments import spell_day
from billing.entry.numbers import NumberFormat, in_format, spell_number
from billing.history import KINDS
from billing.models import Change, EventRule, IdentifierField, Line, Price, Workspace
from billing.money import format_price

AMOUNTS: Mapping[type[Model], frozenset[str]] = {
    Line: frozenset({"hard_limit_amount", "soft_limit_amount"}),
    Price: frozenset({"unit_price"}),
}
_TIER = re.compile(r"up to (any|[0-9.]+): ([0-9.]+), fee ([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Told:
    """One change with (name, before, after) of each changed value."""

    change: Change
    values: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Formatter of the values of one model's rows."""

    model: type[Model] | None
    workspace: Workspace
    currency: str

    def name(self, name: str) -> str:
        if self.model is Line and name in LIMITS:
            return str(LimitsForm.base_fields[name].label)
        field = self._field(name)
        return str(capfirst(name.replace("_", " ") if field is None else field.verbose_name))

    def value(self, name: str, value: Any) -> str:
        """Format a value as stored in the history, or as stored in the row."""
        field, style = self._field(name), self.workspace.formats.numbers
        if value is None:
            return ""
        if isinstance(field, DecimalField):
            return self._decimal(name, Decimal(value), style)
        if isinstance(field, DateTimeField):
            return figures.moment(datetime.fromisoformat(value), self.workspace.tz)
        if isinstance(field, DateField):
            return spell_day(date.fromisoformat(value))
        if isinstance(value, list):
            return "; ".join(_TIER.sub(lambda found: self._tier(found, style), str(one)) for one in value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(field, IdentifierField):
            return figures.identifier(value)
        return str(dict(field.flatchoices).get(value, value)) if field and isinstance(value, str) else str(value)

    def _decimal(self, name: str, value: Decimal, style: NumberFormat) -> str:
        is_amount = self.model is not None and name in AMOUNTS.get(self.model, ())
        return self._amount(value, style) if is_amount else spell_number(value, style)

    def _amount(self, value: Decimal, style: NumberFormat) -> str:
        return f"{self.currency} {in_format(format_price(value, currency=self.currency), style)}"

    def _tier(self, found: re.Match[str], style: NumberFormat) -> str:
        bound, price, fee = found.groups()
        up_to = bound if bound == "any" else in_format(bound, style)
        return f"up to {up_to}: {self._amount(Decimal(price), style)}, fee {self._amount(Decimal(fee), style)}"

    def _field(self, name: str) -> Field | None:
        fields = () if self.model is None else self.model._meta.concrete_fields
        return next((field for field in fields if field.name == name), None)


def told_limits(line: Line, limits: Mapping[str, Decimal | None]) -> str:
    """Format limits of a line as its page shows them: “Hard limit: amount KWD 1,234.500, Soft limit: quantity none”."""
    reader = _Reader(Line, line.subscription.workspace, line.subscription.currency)
    return ", ".join(f"{reader.name(name)} {reader.value(name, value) or 'none'}" for name, value in limits.items())


def told(row: Any, changes: Iterable[Change]) -> list[Told]:
    """Return the changes of a row as its page shows them; ``changes`` are sorted from the newest."""
    workspace, currency = getattr(row, "workspace", row), getattr(row, "currency", "")
    found = []
    for change in changes:
        model = _model_of(type(row), change)
        after = _Reader(model, workspace, currency)
        # Amounts from before a change of the currency are in the former currency.
        currency = change.values.get("currency", (None, None))[0] or currency
        before = _Reader(model, workspace, currency)
        values = [
            (after.name(name), before.value(name, was), after.value(name, now))
            for name, (was, now) in _with_filters(model, change.values).items()
        ]
        found.append(Told(change, tuple(values)))
    return found


def _with_filters(model: type[Model] | None, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a rule, with its filters and negations as one text."""
    if model is not EventRule or "filters" not in values:
        return values
    negated = values.get("negated", (None, None))
    sides = zip(values["filters"], negated, strict=True)
    told_filters = [
        None if of_rule is None else figures.filters(of_rule, not_these or ()) for of_rule, not_these in sides
    ]
    return {name: value for name, value in values.items() if name != "negated"} | {"filters": told_filters}


def _model_of(model: type[Model], change: Change) -> type[Model] | None:
    """Return the model whose fields a change refers to: that of the page's row, or of a part of it."""
    if not change.part:
        return model
    parts = (part for part, kind in KINDS.items() if kind.subject == change.subject and part is not model)
    return next(parts, None)
