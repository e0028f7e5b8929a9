"""The serializer of a GraphQL request: a query, its variables, and the name of the operation to run."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

# Beyond this, Int is refused anyway; and 1e999999999 is a short text, but an int of a billion digits. Only compare with
# it: arithmetic, including abs(), would raise an error for the exponent.
_GREATEST = 2**53


class _Fraction(Decimal):
    """A number that is not an Int, quoted in messages as it was sent."""

    def __inspect__(self) -> str:
        return str(self)


class VariablesField(serializers.Field):
    """Variables by name. All are scalars: a whole number becomes an int, in whatever notation."""

    default_error_messages = {"invalid": "A JSON object is required."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return {name: _number(value) if isinstance(value, Decimal) else value for name, value in data.items()}


def _number(sent: Decimal) -> int | Decimal:
    return int(sent) if -_GREATEST <= sent <= _GREATEST and sent == sent.to_integral_value() else _Fraction(sent)


class TextField(serializers.Field):
    """Unchanged text: the JSON parser has already checked it."""

    default_error_messages = {"invalid": "Not a valid string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class QuerySerializer(serializers.Serializer):
    query = TextField()
    variables = VariablesField(required=False, allow_null=True, default=None)
    operationName = TextField(required=False, allow_null=True, default=None)  # noqa: N815  (GraphQL's name)
