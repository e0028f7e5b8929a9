"""Form fields for typed numbers, days and moments: parsed in the workspace's formats, and echoed in words."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.entry import Formats
from billing.entry.moments import (
    Moment,
    UnreadDay,
    UnreadMoment,
    offset_of,
    read_day,
    read_moment,
    spell_day,
    spell_moment,
    write_day,
    write_time,
)
from billing.entry.numbers import UnreadNumber, explain_number, read_number, spell_number
from billing.money import format_decimal

NOBODYS_YET = "The format depends on the workspace: choose the workspace first."


def typed(**attrs: Any) -> UnfoldAdminTextInputWidget:
    """Return a text input; the page's script shows below it how the server parses it."""
    return UnfoldAdminTextInputWidget({"autocomplete": "off", **attrs})


class EntryField(forms.Field):
    """A field that is parsed in a workspace's formats, which the form sets."""

    formats: Formats | None = None
    # The parts of the formats that parsing depends on.
    read_by: tuple[str, ...] = ()

    def known_formats(self) -> Formats:
        if self.formats is None:
            raise ValidationError(NOBODYS_YET, code="formats")
        return self.formats

    def spell(self, value: Any) -> str:
        """Return a value as an unambiguous text."""
        raise NotImplementedError


class NumberField(EntryField, forms.DecimalField):
    """An exact decimal, typed and shown in the workspace's format."""

    read_by = ("numbers",)

    def __init__(self, **options: Any) -> None:
        options["widget"] = typed(inputmode="decimal", **{"data-entry": "number"})
        super().__init__(**options)

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        if value is None or isinstance(value, Decimal):
            return value
        if not str(value).strip():
            return None
        read = read_number(str(value), self.known_formats().numbers)
        if isinstance(read, UnreadNumber):
            raise ValidationError(str(read), code="invalid")
        return read.value

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Decimal):
            return value
        return format_decimal(value) if self.formats is None else spell_number(value, self.formats.numbers)

    def spell(self, value: Decimal) -> str:
        return explain_number(value, self.known_formats().numbers)


class WholeNumberField(NumberField):
    """A whole number; an id is shown without groups of thousands."""

    def __init__(self, *, is_grouped: bool = True, **options: Any) -> None:
        self.is_grouped = is_grouped
        super().__init__(max_digits=19, decimal_places=0, **options)

    def clean(self, value: Any) -> Any:
        value = super().clean(value)
        return None if value is None else int(value)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int) and self.is_grouped:
            return super().prepare_value(Decimal(value))
        return value

    def spell(self, value: int) -> str:  # type: ignore[override]
        return super().spell(Decimal(value))


class DayField(EntryField):
    """A day, typed in ISO 8601 or the workspace's format."""

    read_by = ("days",)

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=typed(**{"data-entry": "day"}), **options)

    def to_python(self, value: Any) -> date | None:
        if value is None or isinstance(value, date):
            return value
        if not str(value).strip():
            return None
        read = read_day(str(value), self.known_formats().days)
        if isinstance(read, UnreadDay):
            raise ValidationError(str(read), code="invalid")
        return read.value

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, date):
            return value
        return value.isoformat() if self.formats is None else write_day(value, self.formats.days)

    def spell(self, value: date) -> str:
        return spell_day(value)


class MomentWidget(forms.MultiWidget):
    """A day and a time, with a choice between two moments if the time occurs twice."""

    formats: Formats | None = None

    def __init__(self) -> None:
        day = typed(placeholder="Day", **{"data-entry": "moment", "data-entry-part": "day", "aria-label": "Day"})
        time = typed(placeholder="14:30", **{"data-entry": "moment", "data-entry-part": "time", "aria-label": "Time"})
        super().__init__([day, time, forms.HiddenInput()])

    def decompress(self, value: datetime | None) -> list[str | None]:
        if value is None or self.formats is None:
            return [None, None, None]
        tz = self.formats.tz
        day = write_day(value.astimezone(tz).date(), self.formats.days)
        return [day, write_time(value, tz), offset_of(value, tz)]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        parts = value if isinstance(value, list) else self.decompress(value)
        both = [] if self.formats is None else repeated(parts, self.formats)
        choices = [(offset, f"{spell_moment(at, self.formats.tz)}") for offset, at in both if self.formats]
        which: forms.Widget = forms.HiddenInput()
        if choices:
            which = UnfoldAdminSelectWidget(
                {"aria-label": "Which of the two", "data-entry": "moment"}, [("", "Which one?"), *choices]
            )
        else:
            parts = [*parts[:2], None]
        self.widgets = [*self.widgets[:2], which]
        return super().get_context(name, parts, attrs)


class MomentField(EntryField, forms.MultiValueField):
    """A day and a time in the workspace's time zone; if the time occurs twice, an offset chooses the moment."""

    widget: Any = MomentWidget
    read_by = ("days", "clock")

    def __init__(self, **options: Any) -> None:
        parts = (forms.CharField(), forms.CharField(), forms.CharField(required=False))
        super().__init__(parts, require_all_fields=False, **options)

    def clean(self, value: Any) -> datetime | None:
        parts = [str(part or "").strip() for part in (value or [])]
        if not any(parts[:2]):
            if self.required:
                raise ValidationError(self.error_messages["required"], code="required")
            return None
        formats = self.known_formats()
        if not all(parts[:2]):
            raise ValidationError("Both a day and a time are needed.", code="incomplete")
        day, time, offset = [*parts, ""][:3]
        # An offset applies only to the time that it was chosen for.
        chosen = dict(repeated([day, time], formats)).get(offset)
        if chosen is not None:
            return chosen
        read = read_moment(f"{day} {time}", formats.days, formats.tz)
        if isinstance(read, UnreadMoment):
            raise ValidationError(str(read), code="invalid")
        return read.value

    def has_changed(self, initial: Any, data: Any) -> bool:
        typed_now = [str(part or "").strip() for part in data or ()]
        is_shown = self.formats is not None and typed_now[:2] == self.widget.decompress(initial)[:2]
        if is_shown and typed_now[2:] in ([], [""]):
            return False
        try:
            at = self.clean(typed_now)
        except ValidationError:
            return True
        # The form shows moments to the second, so moments within one second are equal.
        return at != (initial and initial.replace(microsecond=0))

    def compress(self, data_list: Any) -> None:
        raise NotImplementedError

    def spell(self, value: datetime) -> str:
        return spell_moment(value, self.known_formats().tz)


def repeated(parts: Sequence[Any], formats: Formats) -> list[tuple[str, datetime]]:
    """Return both moments of a time that occurs twice, each with its offset; nothing for other times."""
    read = read_moment(f"{parts[0] or ''} {parts[1] or ''}", formats.days, formats.tz)
    moments = [reading for reading in getattr(read, "readings", ()) if isinstance(reading, Moment)]
    return [(offset_of(moment.value, formats.tz), moment.value) for moment in moments]
