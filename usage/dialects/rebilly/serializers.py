"""Serializers of usages as Rebilly's clients send and receive them."""

from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from billing.money import DigitsRefused, exact_digits
from usage.dialects.shared.fields import MomentField, NamingField, QuantityField
from usage.ledger import DIGITS_BEFORE_POINT

LEAST = Decimal("0.001")


@extend_schema_field({"type": "number", "format": "double", "minimum": 0.001})
class UsageQuantityField(QuantityField):
    default_error_messages = {
        "too_small": f"Ensure this value is greater than or equal to {LEAST}.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        quantity = super().to_internal_value(data)
        if quantity < LEAST:
            self.fail("too_small")
        try:
            return exact_digits(quantity, before=DIGITS_BEFORE_POINT, after=3)
        except DigitsRefused as error:
            raise serializers.ValidationError(str(error)) from error


class UsageTimeField(MomentField):
    """A moment; an empty text means none."""

    def run_validation(self, data: Any = None) -> Any:
        return None if data == "" else super().run_validation(data)


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseField(serializers.Field):
    """A boolean; ``null``, which the vendor's PHP client sends for members without a value, means the default."""

    default_error_messages = {"invalid": "Must be true or false."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_null=True)

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(empty if data is None else data)

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class UsageSerializer(serializers.Serializer):
    subscriptionId = NamingField(max_length=100)  # noqa: N815  (here and below: the vendor's names)
    quantity = UsageQuantityField()
    usageTime = UsageTimeField(required=False, allow_null=True, default=None)  # noqa: N815
    acceptPartialQuantity = TrueOrFalseField(default=False)  # noqa: N815


class LinkReply(serializers.Serializer):
    href = serializers.URLField()
    rel = serializers.ChoiceField(["self"])


class UsageReply(serializers.Serializer):
    id = serializers.CharField()
    subscriptionId = serializers.CharField()  # noqa: N815
    invoiceId = serializers.CharField(allow_null=True)  # noqa: N815
    invoiceItemId = serializers.CharField(allow_null=True)  # noqa: N815
    quantity = QuantityField()
    usageTime = MomentField()  # noqa: N815
    createdTime = MomentField()  # noqa: N815
    updatedTime = MomentField()  # noqa: N815

    def get_fields(self) -> dict[str, serializers.Field]:
        # As a class attribute the name would be private.
        return super().get_fields() | {"_links": LinkReply(many=True)}
