"""Forms to add, correct and retract usage."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from unfold.widgets import UnfoldAdminExpandableTextareaWidget, UnfoldAdminTextInputWidget

from billing import figures
from billing.admin.entry_fields import MomentField, NumberField
from billing.admin.panel_forms import PanelForm, Question
from billing.admin.picking import PickField, matching
from billing.aggregations import OF_BRICKS, names
from billing.models import Customer, Line, Workspace
from billing.names import parse_whole
from billing.storage.jsontext import MalformedJSON, decode, encode
from usage.admin.chains import open_from
from usage.ledger import DIGITS_AFTER_POINT, DIGITS_BEFORE_POINT, is_late
from usage.models import UsageRecord

NOTE_LENGTH = 500
LINE_SEARCH = ("^brick__name", "=reference", "=subscription__reference")


def quantity_field(**options: Any) -> NumberField:
    return NumberField(
        max_digits=DIGITS_BEFORE_POINT + DIGITS_AFTER_POINT, decimal_places=DIGITS_AFTER_POINT, **options
    )


class DatedForm(PanelForm):
    """A form with a moment of usage: it shows whether its period is open, and asks to confirm unlikely moments."""

    as_of: datetime

    def is_closed(self, at: datetime) -> bool:
        """Tell whether a moment is in a closed period of the form's line or customer."""
        raise NotImplementedError

    def remark(self, name: str, value: Any) -> str:
        if name != "occurred_at":
            return ""
        if value > self.as_of:
            return "in the future"
        return "closed period" if self.is_closed(value) else "open period"

    def questions(self) -> Iterator[Question]:
        if "occurred_at" not in self.changed_data:
            return
        at = self.cleaned_data["occurred_at"]
        spelled = self.fields["occurred_at"].spell(at)  # type: ignore[attr-defined]
        if at > self.as_of:
            yield Question("occurred_at", f"{spelled} is in the future.")
        if self.is_closed(at):
            billed = "the next close bills the difference"
            yield Question("occurred_at", f"{spelled} is in a closed period: {billed}.")


class CustomerForm(PanelForm):
    customer = PickField(Customer)

    def __init__(self, *args: Any, workspace: Workspace, **options: Any) -> None:
        super().__init__(*args, **options)
        self.workspace = workspace
        self.pick("customer")


def metered_lines(customer: Customer) -> QuerySet[Line]:
    """Return the lines of a customer that take usage, by brick, the latest first."""
    lines = Line.objects.filter(
        workspace_id=customer.workspace_id, subscription__customer=customer, brick__aggregation__in=names("takes_usage")
    )
    return lines.select_related("brick", "subscription", "workspace").order_by("brick__name", "-starts_at", "id")


def found_lines(customer: Customer, term: str) -> QuerySet[Line]:
    """Return the metered lines of a customer that match a search term.

    A line matches by its number, its reference, its subscription's reference, or the beginning of its brick's name.
    """
    searched, number = matching(term, LINE_SEARCH), parse_whole(term.strip())
    if number is not None:
        searched |= Q(number=number)
    return metered_lines(customer).filter(searched)


def line_in_words(line: Line) -> str:
    """Return the text of a line in a list of its customer's lines."""
    covers = figures.days(line.starts_at, line.ends_at, line.workspace.tz)
    kind = line.brick.metering.short_label
    of = f", subscription {figures.identifier(line.subscription.reference)}" if line.subscription.reference else ""
    return f"{line.brick} ({kind}, {line.brick.unit_label}) — {covers}{of} — line {line.number}"


class EntryForm(DatedForm):
    line = PickField(
        Line,
        row_label=line_in_words,
        help_text="Search by the beginning of its brick's name, its number, its reference or its subscription's.",
    )
    occurred_at = MomentField(label="Used at")
    quantity = quantity_field()
    note = forms.CharField(
        required=False,
        max_length=NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="The source of the figure.",
    )
    # A form that is sent twice, by a second click or a reload, has the same key, and so creates one record.
    key = forms.CharField(max_length=255, widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, customer: Customer, as_of: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        self.as_of = as_of
        line = self.fields["line"]
        assert isinstance(line, PickField)
        line.search_at(reverse("admin:usage_lines", args=[customer.pk]))
        lines = metered_lines(customer)
        first_two = [] if self.is_bound else list(lines.values_list("pk", flat=True)[:2])
        self.has_lines = self.is_bound or bool(first_two)
        if len(first_two) == 1:
            # There is only one choice.
            self.initial["line"] = first_two[0]
        self.pick("line", lines)
        self.fields["quantity"].help_text = _meanings()
        self.read_as(customer.workspace.formats)
        self.fields["occurred_at"].help_text = f"Date and time in {customer.workspace.time_zone}."

    def is_closed(self, at: datetime) -> bool:
        line = self.chosen("line")
        return line is not None and _is_closed(line, at)


def _is_closed(line: Line, at: datetime) -> bool:
    return line.starts_at <= at and is_late(at, open_from_at=line.open_from_at)


def _meanings() -> str:
    """Return the meaning of a quantity: "Counter: how much was used. Gauge: the value from this moment on."."""
    return " ".join(f"{each.short_label.capitalize()}: {each.help}." for each in OF_BRICKS if each.takes_usage)


class ReasonForm(PanelForm):
    note = forms.CharField(
        label="Reason",
        max_length=NOTE_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Stored with the record and shown in its history.",
    )


class CorrectionForm(DatedForm, ReasonForm):
    shows_former = True
    occurred_at = MomentField(label="Used at")
    quantity = quantity_field()
    field_order = ("quantity", "occurred_at", "note")

    def __init__(self, data: Any, *, record: UsageRecord, as_of: datetime) -> None:
        initial = {
            "quantity": record.quantity,
            "properties": record.properties or {},
            "occurred_at": record.occurred_at,
        }
        super().__init__(data, initial=initial)
        self.record, self.as_of = record, as_of
        self.read_as(record.workspace.formats)
        self.fields["occurred_at"].help_text = f"Date and time in {record.workspace.time_zone}."

    def is_closed(self, at: datetime) -> bool:
        line = self.record.line
        return is_late(at, open_from_at=open_from(self.record)) if line is None else _is_closed(line, at)

    def clean(self) -> dict[str, Any] | None:
        if not self.errors and not set(self.changed_data) - {"note"}:
            raise forms.ValidationError("Nothing was changed.")
        return super().clean()


class PropertiesField(forms.CharField):
    """A JSON object, entered as text and parsed without floats."""

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
            raise forms.ValidationError('Properties are a JSON object, such as {"length": 500}.')
        return properties

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return encode(self.to_python(data)) != encode(self.to_python(initial))
        except forms.ValidationError:
            return True


class EventCorrectionForm(CorrectionForm):
    """Form that corrects an event, which has no quantity: bricks derive it from its properties."""

    quantity = None  # type: ignore[assignment]
    properties = PropertiesField(required=False, help_text="As JSON. Bricks add or compare them.")
    field_order = ("properties", "occurred_at", "note")
