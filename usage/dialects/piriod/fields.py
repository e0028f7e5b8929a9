"""Serializer fields of Piriod's own."""

from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.names import parse_whole

GREATEST_ID = BigIntegerField.MAX_BIGINT


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": GREATEST_ID})
class LineField(serializers.Field):
    """The integer id of a line; the ledger checks that the line exists."""

    default_error_messages = {
        "incorrect_type": "Incorrect type. Expected pk value, received {data_type}.",
        "does_not_exist": 'Invalid pk "{pk_value}" - object does not exist.',
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            number = parse_whole(data, digits=39)
            data = data if number is None else number
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            self.fail("incorrect_type", data_type=type(data).__name__)
        # The range first: 1e999999999 is a short text, but an int of a billion digits.
        if not 0 < data <= GREATEST_ID or data != int(data):
            self.fail("does_not_exist", pk_value=data)
        return int(data)
