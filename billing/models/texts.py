"""Texts of two kinds: identifiers, which are kept to the letter, and names, which are shown in a line of text."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

# What ends or moves a line where it is shown: C0 and C1, and the separators of lines and paragraphs.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def validate_name(value: str) -> None:
    """Raise ``ValidationError`` for a name with control characters: in a report it could forge lines."""
    if found := CONTROL.search(value):
        raise ValidationError(
            "A name has no control characters; this one has U+%(code)s.", params={"code": f"{ord(found[0]):04X}"}
        )


class IdentifierFormField(forms.CharField):
    """A text that programs compare to the letter: blanks at its ends belong to it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "strip": False})

    def clean(self, value: Any) -> Any:
        # Blanks alone are no identifier: whoever typed them has seen an empty field.
        return super().clean("" if isinstance(value, str) and value.isspace() else value)


class IdentifierField(models.CharField):
    """The column of an identifier, which no form trims."""

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
