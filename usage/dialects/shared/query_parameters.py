"""Validate the query parameters of a list: ignoring an unknown one would return unwanted rows."""

from collections.abc import Container, Iterable
from typing import Any

from django import forms
from django.core.validators import EMPTY_VALUES
from django.http import QueryDict
from rest_framework import exceptions, serializers

from usage.dialects.shared.fields import plain_number

UNKNOWN = "Unknown parameter."
REPEATED = "Give this parameter once."
EMPTY = "This parameter may not be empty."


def is_number(text: str) -> bool:
    """Tell whether a text is a plain number as in a body; blanks around it are allowed."""
    return plain_number(text.strip()) is not None


class _PlainFormField(forms.Field):
    """A number in plain digits."""

    def to_python(self, value: Any) -> Any:
        if value not in EMPTY_VALUES and not is_number(str(value)):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class WholeFormField(_PlainFormField, forms.IntegerField):
    """A whole number in plain digits."""


class NumberFormField(_PlainFormField, forms.DecimalField):
    """A number, whole or not, in plain digits."""


class WholeField(serializers.IntegerField):
    """A whole number in plain digits."""

    def to_internal_value(self, data: Any) -> int:
        if not is_number(str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


def refuse_unknown(
    query: QueryDict, known: Iterable[str], *, repeated: Container[str] = (), optional: Container[str] | None = None
) -> None:
    """Raise ``ValidationError`` naming each parameter that is not in ``known``, is given twice or is empty.

    A client that filters by an unknown or empty parameter, as in ``line[]=3`` or ``line=``, would get the whole
    workspace and may act on it. ``repeated`` are the parameters that may be given several times, ``optional`` those
    that may be empty, by default all.
    """
    wrong = {name: [UNKNOWN] for name in sorted(query.keys() - set(known))}
    wrong |= {
        name: [REPEATED]
        for name, values in query.lists()
        if name not in wrong and name not in repeated and len(values) > 1
    }
    if optional is not None:
        empty = (name for name, values in query.lists() if name not in optional and not all(values))
        wrong |= {name: [EMPTY] for name in empty if name not in wrong}
    if wrong:
        raise exceptions.ValidationError(wrong)
