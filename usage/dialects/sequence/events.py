"""Views that report usage events singly, superseding earlier ones with the same id, and list them."""
# ruff: noqa: N815  (the vendor's names)

from functools import partial

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.sequence import rows, translate
from usage.dialects.sequence.base import SequenceView
from usage.dialects.sequence.fields import NameField, ObjectField, RepeatedField
from usage.dialects.sequence.pagination import ASC, DESC, PageSerializer, PaginationReply, page
from usage.dialects.shared import lists
from usage.dialects.shared.fields import MomentField
from usage.dialects.shared.query_parameters import WholeField
from usage.newest import are_few

LARGEST_OFFSET = 2**31 - 1


class EventSerializer(serializers.Serializer):
    customerEventId = NameField(required=False, allow_null=True, default=None)
    customerAlias = NameField()
    eventType = NameField()
    eventTimestamp = MomentField(required=False, allow_null=True, default=None)
    eventProperties = ObjectField(required=False, allow_null=True, default=None)


class EventQuerySerializer(PageSerializer):
    offset = WholeField(required=False, min_value=0, max_value=LARGEST_OFFSET, default=0)
    sortOrder = serializers.ChoiceField([ASC, DESC], required=False, default=DESC)
    sortBy = serializers.ChoiceField(["createdAt"], required=False)
    customerAlias = RepeatedField(required=False)
    unmappedAliasesOnly = serializers.BooleanField(required=False, default=False)
    eventType = NameField(required=False)
    eventId = serializers.UUIDField(required=False)
    eventTimestampBefore = MomentField(required=False)
    eventTimestampAfter = MomentField(required=False)


class EventReply(serializers.Serializer):
    id = serializers.UUIDField()
    customerEventId = serializers.CharField()
    customerAlias = serializers.CharField()
    eventType = serializers.CharField()
    sequenceAccountId = serializers.CharField()
    eventTimestamp = serializers.DateTimeField()
    eventProperties = serializers.DictField()


class EventPageReply(serializers.Serializer):
    items = EventReply(many=True)
    pagination = PaginationReply()


class EventsView(SequenceView):
    @extend_schema(operation_id="listUsageEvents", parameters=[EventQuerySerializer], responses=EventPageReply)
    def get(self, request: Request) -> Response:
        asked = self.asked(EventQuerySerializer)
        show = partial(translate.event, workspace=self.workspace)
        # Ordered by the time of receipt or, if filtered by timestamp, by timestamp.
        by_time = "sortBy" not in asked and {"eventTimestampAfter", "eventTimestampBefore"} & asked.keys()
        with lists.within_time(narrow_by="customerAlias, eventType or the events' timestamps"):
            found = rows.events(self.workspace, asked)
            # The index of aliases is in order for one alias, but not for several.
            is_short = not by_time and len(asked.get("customerAlias", ())) > 1 and are_few(found)
            return Response(
                page(
                    found,
                    asked,
                    at="occurred_at" if by_time else None,
                    workspace=self.workspace,
                    sized="properties",
                    are_gathered=is_short,
                    show=show,
                )
            )

    @extend_schema(operation_id="createUsageEvent", request=EventSerializer, responses={201: EventReply})
    def post(self, request: Request) -> Response:
        data, now = self.validated(EventSerializer, request.data), timezone.now()
        command = translate.report_event(data, origin=self.origin, received_at=now)
        recorded = ledger.report_event(command=command, recorded_at=now)
        return Response(translate.event(recorded, workspace=self.workspace), status=status.HTTP_201_CREATED)
