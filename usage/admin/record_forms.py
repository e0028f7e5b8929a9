from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from billing import figures
from billing.admin.pages import PickField
from billing.jsontext import MalformedJSON, decode, encode
from billing.models import Brick, Customer, Line
from billing.money import format_decimal
from usage.ledger import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT, TAKES_USAGE
from usage.models import UsageRecord

NOTE_LENGTH = 500


class QuantityField(forms.DecimalField):
    def __init__(self, **options: Any) -> None:
        digits = DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT
        widget = UnfoldAdminDecimalFieldWidget({"step": "any"})
        super().__init__(max_digits=digits, decimal_places=DIGITS_AFTER_POINT, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return format_decimal(value) if isinstance(value, Decimal) else value


class MomentField(forms.SplitDateTimeField):
    """A day and a time in the zone that is active: its page activates the workspace's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=UnfoldAdminSplitDateTimeWidget, **options)


class CustomerForm(forms.Form):
    customer = PickField(Customer)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        customer = self.fields["customer"]
        assert isinstance(customer, PickField)
        customer.narrow(self["customer"].value())


class LineField(forms.ModelChoiceField):
    def label_from_instance(self, line: Any) -> str:
        tz = line.workspace.tz
        covers = figures.days(line.starts_at, line.ends_at, tz)
        kind = "gauge" if line.brick.aggregation == Brick.Aggregation.UNIT_DAYS else "counter"
        of = f", subscription {line.subscription.reference}" if line.subscription.reference else ""
        return f"{line.brick} ({kind}, {line.brick.unit_label}) — {covers}{of} — line {line.pk}"


class EntryForm(forms.Form):
    line = LineField(Line.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None)
    occurred_at = MomentField(label="When it was used")
    quantity = QuantityField(help_text="Counter: how much was used. Gauge: the value from this moment on.")
    note = forms.CharField(
        required=False,
        max_length=NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Where the figure comes from.",
    )
    # A form that is sent twice, by a second click or a reload, has the same key: it makes one record.
    key = forms.CharField(max_length=255, widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, customer: Customer, **options: Any) -> None:
        super().__init__(*args, **options)
        line = self.fields["line"]
        assert isinstance(line, LineField)
        line.queryset = metered_lines(customer)
        self.fields["occurred_at"].help_text = f"Date and time in {customer.workspace.time_zone}."


def metered_lines(customer: Customer) -> Any:
    lines = Line.objects.filter(subscription__customer=customer, brick__aggregation__in=TAKES_USAGE)
    return lines.select_related("brick", "subscription", "workspace").order_by("brick__name", "-starts_at", "id")


class ReasonForm(forms.Form):
    note = forms.CharField(
        label="Reason",
        max_length=NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with the record and shown in its history.",
    )


class CorrectionForm(ReasonForm):
    occurred_at = MomentField(label="When it was used")
    quantity = QuantityField()
    field_order = ("quantity", "occurred_at", "note")

    def __init__(self, data: Any, *, record: UsageRecord) -> None:
        initial = {
            "quantity": record.quantity,
            "properties": record.properties or {},
            "occurred_at": record.occurred_at.replace(microsecond=0),
        }
        super().__init__(data, initial=initial)
        self.fields["occurred_at"].help_text = f"Date and time in {record.workspace.time_zone}."

    def clean(self) -> dict[str, Any] | None:
        if not self.errors and not set(self.changed_data) - {"note"}:
            raise forms.ValidationError("Nothing was changed.")
        return super().clean()


class PropertiesField(forms.CharField):
    """A JSON object, written as text and read without a float in between."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=UnfoldAdminExpandableTextareaWidget, strip=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else encode(value).decode()

    def to_python(self, value: Any) -> Any:
        try:
            properties = value if isinstance(value, dict) else decode(value or "{}")
        except MalformedJSON as error:
            raise forms.ValidationError(str(error)) from error
        if not isinstance(properties, dict):
            raise forms.ValidationError('Properties are names and values, such as {"length": 500}.')
        return properties

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return encode(self.to_python(data)) != encode(self.to_python(initial))
        except forms.ValidationError:
            return True


class EventCorrectionForm(CorrectionForm):
    """An event has no quantity: bricks make theirs of its properties."""

    quantity = None  # type: ignore[assignment]
    properties = PropertiesField(required=False, help_text="As JSON. Bricks add or compare them.")
    field_order = ("properties", "occurred_at", "note")
