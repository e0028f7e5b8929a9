"""Shared query parameters. Days, and times without an offset, are in the workspace's time zone."""

from datetime import date, datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.calendar import end_of
from usage.dialects.shared.fields import NotAMoment, is_day, parse_moment_or_day

_MICROSECOND = timedelta(microseconds=1)


@extend_schema_field({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]})
class BoundaryField(serializers.Field):
    """A time, or the start of a day; if ``is_included``, the first moment after the time or the day."""

    def __init__(self, *, is_included: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.is_included = is_included

    def to_internal_value(self, data: str) -> datetime:
        zone = self.context["zone"]
        try:
            moment = parse_moment_or_day(data, zone=zone)
        except NotAMoment as error:
            raise serializers.ValidationError(str(error)) from error
        if not self.is_included:
            return moment
        return end_of(date.fromisoformat(data), tz=zone) if is_day(data) else moment + _MICROSECOND


class SpanQuery(serializers.Serializer):
    """The parameters ``from`` and ``to`` of a read."""

    includes_end = False

    def get_fields(self) -> dict[str, serializers.Field]:
        # "from" is a keyword of Python and can't be the name of an attribute.
        starts_at = BoundaryField(source="starts_at", required=False)
        ends_at = BoundaryField(source="ends_at", required=False, is_included=self.includes_end)
        return {"from": starts_at, "to": ends_at, **super().get_fields()}
