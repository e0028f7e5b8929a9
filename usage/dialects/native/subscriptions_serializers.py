"""Serializers of subscriptions and their lines: input and output."""

from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, extend_schema_field
from rest_framework import serializers

from billing.contracts import Limits, distant
from billing.models import Line, Subscription
from usage.adding import opening_of
from usage.dialects.native.base import shown_by
from usage.dialects.native.fields import (
    WHOLE,
    CurrencyField,
    DayField,
    FlagField,
    IdField,
    MomentField,
    NumberField,
    NumberText,
    ReferenceField,
    TextField,
    WholeField,
    WordField,
)
from usage.dialects.native.prices import TermsSerializer

MOST_LINES = settings.LINES_PER_REQUEST
SIDES, KINDS = ("soft", "hard"), ("quantity", "amount")


DISTANT = (
    "True confirms a start, or a day from which periods are counted, more than a year back or ahead. Otherwise such a"
    " date is refused."
)


# The opening value of a gauge's first line.
FIRST = {"value": Decimal(0), "former": {"number": None}, "last": None}


class PriceField(serializers.Field):
    """An existing price, by its id, or the terms of a new one."""

    def to_internal_value(self, data: Any) -> Any:
        return (TermsSerializer() if isinstance(data, dict) else WholeField()).run_validation(data)


class PriceSchema(OpenApiSerializerFieldExtension):
    target_class = PriceField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        terms = auto_schema.resolve_serializer(TermsSerializer, direction).ref
        return {"oneOf": [WHOLE, terms]}


class LimitSerializer(serializers.Serializer):
    quantity = NumberText(allow_null=True)
    amount = NumberText(allow_null=True)


class LimitsSerializer(serializers.Serializer):
    soft = LimitSerializer(allow_null=True)
    hard = LimitSerializer(allow_null=True)


class LineSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="number", help_text="The line's number, unique in the workspace.")
    reference = ReferenceField(required=True)
    brick = IdField(source="brick_id")
    price = serializers.IntegerField(source="price_id")
    starts_at = MomentField()
    ends_at = MomentField(allow_null=True)
    carries_on = serializers.BooleanField(
        help_text="For a gauge: whether it opens with the last value of the brick's previous line, not at 0."
    )
    limits = serializers.SerializerMethodField()

    @extend_schema_field(LimitsSerializer)
    def get_limits(self, line: Line) -> dict[str, Any]:
        return shown_by(LimitsSerializer)({side: _limit(line, side) for side in SIDES})


class OpeningSerializer(serializers.Serializer):
    value = NumberText(help_text="The value carried on from the previous line, or 0.")
    former = serializers.IntegerField(
        source="former.number", allow_null=True, help_text="The brick's previous line in the subscription."
    )
    former_value = NumberText(
        source="last",
        allow_null=True,
        help_text="The last value of that line, even if it is not carried on. Null if it had none.",
    )


class LineAloneSerializer(LineSerializer):
    """A line outside a list, which may need a query of its own."""

    opening = serializers.SerializerMethodField(
        help_text="For a gauge: its opening value by current usage, which late usage of the former line changes. "
        "Null for other lines."
    )

    @extend_schema_field(OpeningSerializer(allow_null=True))
    def get_opening(self, line: Line) -> dict[str, Any] | None:
        if not line.brick.metering.stands_on:
            return None
        return shown_by(OpeningSerializer)(opening_of(line) or FIRST)


def _limit(line: Line, side: str) -> dict[str, Any] | None:
    bounds = {kind: getattr(line, f"{side}_limit_{kind}") for kind in KINDS}
    return None if set(bounds.values()) == {None} else bounds


class PeriodSerializer(serializers.Serializer):
    starts_at = MomentField(source="open_from_at")
    ends_at = MomentField(source="next_close_at")


class SubscriptionSerializer(serializers.Serializer):
    id = IdField()
    reference = ReferenceField(required=True)
    customer = IdField(source="customer_id")
    currency = CurrencyField()
    interval = WordField(choices=Subscription.Interval.choices)
    anchor_on = DayField()
    starts_at = MomentField()
    ends_at = MomentField(allow_null=True)
    is_voided = serializers.BooleanField(
        help_text="Whether it was voided, as created by mistake: it ends at its start."
    )
    open_period = serializers.SerializerMethodField(
        help_text="The first period that is not closed; null if all are closed."
    )
    lines = serializers.SerializerMethodField()
    created_at = MomentField()

    @extend_schema_field(PeriodSerializer(allow_null=True))
    def get_open_period(self, subscription: Subscription) -> dict[str, Any] | None:
        return None if subscription.next_close_at is None else shown_by(PeriodSerializer)(subscription)

    @extend_schema_field(LineSerializer(many=True))
    def get_lines(self, subscription: Subscription) -> list[dict[str, Any]]:
        return list(map(shown_by(LineSerializer), sorted(subscription.lines.all(), key=attrgetter("pk"))))


class EndedSubscriptionSerializer(SubscriptionSerializer):
    stay_ended = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="For an extended subscription: the ids of its lines that had ended before and stay ended, except "
        "those followed by another line of their brick.",
    )


class NewLimitSerializer(serializers.Serializer):
    quantity = NumberField(before=15, after=9, above=0, required=False, allow_null=True)
    amount = NumberField(before=15, after=4, above=0, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs.get("quantity") is None) == (attrs.get("amount") is None):
            raise serializers.ValidationError("Give either a quantity or an amount, not both.")
        return attrs


class NewLimitsSerializer(serializers.Serializer):
    soft = NewLimitSerializer(required=False, allow_null=True, help_text="Shown once it is reached.")
    hard = NewLimitSerializer(required=False, allow_null=True, help_text="Usage beyond it is refused.")


class LineChangeSerializer(serializers.Serializer):
    limits = NewLimitsSerializer(help_text="A limit that is not sent is kept; null removes it.")


class NewLineSerializer(serializers.Serializer):
    id = WholeField(
        source="number", required=False, help_text="One that clients already use; by default the workspace's next."
    )
    reference = ReferenceField()
    brick = TextField(help_text="By id or reference.")
    price = PriceField(help_text="An existing price, by id, or the terms of a new one.")
    starts_at = MomentField(required=False, help_text="By default the start of the subscription's first open period.")
    ends_at = MomentField(required=False, allow_null=True)
    carries_on = FlagField(
        required=False,
        help_text="For a gauge: false makes it open at 0 instead of with the last value of the previous line.",
    )
    limits = NewLimitsSerializer(required=False)
    distant_start = FlagField(required=False, help_text=DISTANT)


class NewSubscriptionSerializer(serializers.Serializer):
    id = IdField(required=False)
    reference = ReferenceField()
    customer = TextField(help_text="By id or reference.")
    currency = CurrencyField(required=False, help_text="By default the workspace's.")
    interval = WordField(choices=Subscription.Interval.choices, default=Subscription.Interval.MONTHLY.value)
    anchor_on = DayField(
        required=False, help_text="The day from which billing periods are counted; by default the first day."
    )
    starts_at = MomentField(required=False)
    starts_on = DayField(
        required=False, help_text="Instead of starts_at: the start of this day in the workspace's time zone."
    )
    ends_at = MomentField(required=False, allow_null=True, help_text="The first moment not covered.")
    distant_start = FlagField(required=False, help_text=DISTANT)
    lines = NewLineSerializer(many=True, required=False, max_length=MOST_LINES)  # type: ignore[call-arg]  # an argument of the list

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("starts_at" in attrs) == ("starts_on" in attrs):
            raise serializers.ValidationError({"starts_at": ["Give either starts_at or starts_on."]})
        prices = (line["price"] for line in attrs.get("lines", ()))
        if sum(len(price.get("tiers", ())) for price in prices if isinstance(price, dict)) > settings.TIERS_PER_REQUEST:
            message = (
                f"At most {settings.TIERS_PER_REQUEST} tiers in one request: create prices first, or add lines later."
            )
            raise serializers.ValidationError({"lines": [message]})
        return attrs


class EndSerializer(serializers.Serializer):
    ends_at = MomentField(
        allow_null=True,
        help_text="The first moment not covered; null for no end: a line ends with its subscription. "
        "An end at the start voids what was created by mistake.",
    )


def limits(data: dict[str, Any], *, former: Line | None = None) -> Limits:
    """Return the limits that were sent; those that were not sent are kept from the line."""
    bounds = {}
    for side in SIDES:
        sent = (data[side] or {}) if side in data else None
        for kind in KINDS:
            name = f"{side}_limit_{kind}"
            bounds[name] = getattr(former, name, None) if sent is None else sent.get(kind)
    return Limits(**bounds)


def check_starts(data: dict[str, Any], *, as_of: datetime) -> None:
    """Remove the flags from a subscription or line that was sent; raise ``ValidationError`` for distant starts.

    A start is also the day from which periods are counted: a mistake in it moves the starts of all periods. A flag
    confirms a distant start; that of a subscription also confirms those of its lines.
    """
    meant = data.pop("distant_start", False)
    starts: list[tuple[str, Any]] = []
    if not meant:
        starts += [(name, data[name]) for name in ("starts_at", "starts_on", "anchor_on") if name in data]
    for place, line in enumerate(data.get("lines", ())):
        if not line.pop("distant_start", meant) and "starts_at" in line:
            starts.append((f"lines.{place}.starts_at", line["starts_at"]))
    if wrong := {name: [far] for name, start in starts if (far := distant(start, as_of=as_of))}:
        raise serializers.ValidationError(wrong)
