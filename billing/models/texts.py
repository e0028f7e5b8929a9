"""Two kinds of text: identifiers, which are stored exactly as given, and names, which are shown within a line."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

# Characters that break or move a displayed line: C0, C1, and the separators of lines and paragraphs.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Characters that change the direction of the text after them, and from within a name also that of the page.
DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
# Shown instead of an invisible blank.
BLANK = "␣"


def validate_name(value: str) -> None:
    """Raise ``ValidationError`` for a name that could forge lines of a report or change the text direction."""
    if told := _objection(value, to="A name"):
        raise ValidationError(told)
    if found := DIRECTION.search(value):
        raise ValidationError(f"A name can't contain directional characters; this one has U+{ord(found[0]):04X}.")


def objection_to_identifier(value: str) -> str:
    """Return the objection to a text as an identifier; an empty text if there is none."""
    return _objection(value, to="An identifier")


def _objection(value: str, *, to: str) -> str:
    found = CONTROL.search(value)
    return f"{to} can't contain control characters; this one has U+{ord(found[0]):04X}." if found else ""


def validate_identifier(value: str) -> None:
    """Raise ``ValidationError`` for an identifier with control characters."""
    if told := objection_to_identifier(value):
        raise ValidationError(told)


def visible(identifier: str) -> str:
    """Format an identifier with visible blanks at its ends, since they are significant: "Customer 7␣"."""
    start, end = len(identifier) - len(identifier.lstrip()), len(identifier.rstrip())
    if start == len(identifier):
        return BLANK * start
    return f"{BLANK * start}{identifier[start:end]}{BLANK * (len(identifier) - end)}"


class IdentifierFormField(forms.CharField):
    """A text that programs compare exactly: blanks at its ends are kept."""

    default_validators = [validate_identifier]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "strip": False})

    def clean(self, value: Any) -> Any:
        # Only blanks are not an identifier: the field looks empty to the user.
        return super().clean("" if isinstance(value, str) and value.isspace() else value)


class IdentifierField(models.CharField):
    """The column of an identifier, which forms don't trim."""

    default_validators = [validate_identifier]

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": IdentifierFormField, **options})

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options


class NameField(models.CharField):
    """The column of a name: one line of text."""

    default_validators = [validate_name]

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.CharField", args, options
