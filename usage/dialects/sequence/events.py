"""Usage events: reported one by one, superseded by their own id, and listed."""

from functools import partial

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.sequence import rows, translate
from usage.dialects.sequence.base import SequenceView
from usage.dialects.sequence.pagination import page
from usage.dialects.sequence.replies import EventPageReply, EventReply
from usage.dialects.sequence.serializers import EventQuerySerializer, EventSerializer
from usage.dialects.shared import lists
from usage.dialects.shared.newest import are_few


class EventsView(SequenceView):
    @extend_schema(operation_id="listUsageEvents", parameters=[EventQuerySerializer], responses=EventPageReply)
    def get(self, request: Request) -> Response:
        asked = self.asked(EventQuerySerializer)
        show = partial(translate.event, workspace=self.workspace)
        # By when they were received, unless they are asked for by when they happened: then by that.
        by_time = "sortBy" not in asked and {"eventTimestampAfter", "eventTimestampBefore"} & asked.keys()
        with lists.within_time(narrow_by="customerAlias, eventType or the events' timestamps"):
            found = rows.events(self.workspace, asked)
            # The index of aliases has the events of each in order, but not those of several.
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
