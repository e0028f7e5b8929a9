"""Forms that know the values that their page showed: they save only touched fields, and undo no change of others."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.forms.models import InlineForeignKeyField
from django.utils.functional import cached_property

SEEN = "seen"
SALT = "billing.admin.seen"
# Fields whose value is a set.
CHOICES = (forms.MultipleChoiceField, forms.ModelMultipleChoiceField)
STALE = "Nothing was saved: meanwhile somebody else has made the changes below. Save again to add your own changes."


class SeenForm(forms.BaseForm):
    """A form that carries the signed values that the page showed, and compares them with the row when it is sent.

    A field whose text is as it was shown is untouched: it keeps its value, including blanks and microseconds. If
    somebody else has changed a field meanwhile, the form is refused once and names it; then it shows the current
    values together with the user's own changes.
    """

    # Further values that the form depends on, by the names that the page shows.
    watched: Mapping[str, str] = {}
    # Whether a form without a row shows stored values, which others may change.
    shows_former = False
    # The name of the row, if the page has several forms.
    called = ""

    @property
    def has_former(self) -> bool:
        """Tell whether the fields show stored values, rather than suggestions."""
        instance = getattr(self, "instance", None)
        return self.shows_former if instance is None else not instance._state.adding

    @property
    def seen(self) -> str:
        """Return the signed values for the page to carry."""
        return signing.dumps(self._now, salt=SALT, compress=True) if self._now else ""

    @property
    def seen_name(self) -> str:
        return self.add_prefix(SEEN)

    @cached_property
    def _now(self) -> dict[str, Any]:
        # Disabled fields are not sent. One of them is the hash of a password, which no page may contain.
        open_fields = [name for name, field in self.fields.items() if not field.disabled]
        shown = {name: self._shown(name) for name in open_fields} if self.has_former else {}
        return shown | {f"watched {label}": text for label, text in self.watched.items()}

    @cached_property
    def _before(self) -> dict[str, Any]:
        """The values that the page showed; the current ones if the page sent none."""
        carried = self.data.get(self.seen_name) if self._now else None
        if not carried:
            return self._now
        try:
            return self._now | signing.loads(carried, salt=SALT)
        except signing.BadSignature:
            return self._now | dict.fromkeys(self._now, None)

    @cached_property
    def meanwhile(self) -> tuple[str, ...]:
        """The changes of others since the page was shown, as texts."""
        row = f"“{self.called}”: " if self.called else ""
        return tuple(f"{row}{self._told(name)}" for name in self._moved if not self._agrees(name))

    @cached_property
    def changed_data(self) -> list[str]:
        return [name for name in self.fields if self._is_touched(name) and self._differs(name)]

    def full_clean(self) -> None:
        if self.is_bound:
            self._take_over()
        super().full_clean()
        if not self.is_bound:
            return
        if self.meanwhile:
            self.add_error(None, ValidationError([STALE, *self.meanwhile], code="stale"))

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]
        if not self.has_former:
            return
        for name, field in self.fields.items():
            is_value = name in self.initial and not isinstance(field, forms.ModelChoiceField | InlineForeignKeyField)
            if is_value and not self._is_touched(name):
                self.cleaned_data[name] = self.get_initial_for_field(field, name)
                self.errors.pop(name, None)

    @cached_property
    def _moved(self) -> list[str]:
        return [name for name, value in self._now.items() if self._before.get(name) != value]

    def _agrees(self, name: str) -> bool:
        """Tell whether others have changed a field to the posted value."""
        return name in self.fields and self._is_touched(name) and not self._differs(name)

    def _differs(self, name: str) -> bool:
        """Tell whether the posted value differs from the current one."""
        field = self.fields[name]
        value = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        return field.has_changed(self.get_initial_for_field(field, name), value)

    def _take_over(self) -> None:
        """Let untouched fields show the values that others have set."""
        stale = [name for name in self._moved if name in self.fields and not self._is_touched(name)]
        if not stale:
            return
        data = self.data.copy()  # type: ignore[attr-defined]
        for name in stale:
            key, value = self.add_prefix(name), self._now[name]
            if isinstance(self.fields[name], CHOICES):
                data.setlist(key, value)
                continue
            parts = {f"{key}_{n}": part for n, part in enumerate(value)} if isinstance(value, list) else {key: value}
            for one, text in parts.items():
                if text is False or text is None:
                    data.pop(one, None)
                else:
                    data[one] = "on" if text is True else text
        self.data = data

    def _is_touched(self, name: str) -> bool:
        return name in self._touched

    @cached_property
    def _touched(self) -> set[str]:
        touched = set()
        for name, field in self.fields.items():
            key = self.add_prefix(name)
            if field.disabled or (self.has_former and field.widget.value_omitted_from_data(self.data, self.files, key)):
                continue
            if not self.has_former or self._posted(name) != self._before.get(name):
                touched.add(name)
        return touched

    def _posted(self, name: str) -> Any:
        value = self.fields[name].widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        if isinstance(self.fields[name], CHOICES):
            return sorted(value)
        return [_text(part) for part in value] if isinstance(value, list) else self._sent(name, value)

    def _shown(self, name: str) -> Any:
        field: Any = self.fields[name]
        value = field.prepare_value(self.get_initial_for_field(field, name))
        if isinstance(field.widget, forms.MultiWidget):
            return [_text(part) for part in field.widget.decompress(value) or ()]
        if isinstance(field.widget, forms.CheckboxInput):
            return bool(value)
        if isinstance(field, CHOICES):
            return sorted(map(str, value or ()))
        return [_text(part) for part in value] if isinstance(value, list | tuple) else self._sent(name, value)

    def _sent(self, name: str, value: Any) -> Any:
        """Return a field's value as a browser sends it: without line breaks in a text input."""
        text = _text(value)
        is_line = isinstance(self.fields[name].widget, forms.TextInput)
        return text.replace("\n", "") if is_line and isinstance(text, str) else text

    def _told(self, name: str) -> str:
        before, now = self._before.get(name), self._now[name]
        if name not in self.fields:
            return f"{name.removeprefix('watched ')}: it was {_worded(before)} and is {_worded(now)} now."
        listed: Any = getattr(self.fields[name], "choices", None)
        choices = {str(value): str(text) for value, text in listed or () if text}
        was, is_now = (_chosen(value, choices) for value in (before, now))
        return f"{self[name].label}: it was {_worded(was)} and is {_worded(is_now)} now."


def _text(value: Any) -> Any:
    """Return a value as a browser sends it back."""
    if value is None or isinstance(value, bool):
        return value if value is not None else ""
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def _chosen(value: Any, choices: Mapping[str, str]) -> Any:
    """Return chosen values by the labels of their choices."""
    if isinstance(value, list) and choices:
        return ", ".join(choices.get(part, part) for part in value)
    return choices.get(str(value), value)


def _worded(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = " ".join(part for part in value if part)
    return f"“{value}”" if value else "empty"
