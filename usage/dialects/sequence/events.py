"""Usage events: reported one by one, superseded by their own id, and listed."""

from functools import partial

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from usage import ledger
from usage.dialects.sequence import queries, translate
from usage.dialects.sequence.base import SequenceView
from usage.dialects.sequence.pages import page
from usage.dialects.sequence.replies import EventPageReply, EventReply
from usage.dialects.sequence.serializers import EventQuerySerializer, EventSerializer


class EventsView(SequenceView):
    @extend_schema(operation_id="listUsageEvents", parameters=[EventQuerySerializer], responses=EventPageReply)
    def get(self, request: Request) -> Response:
        asked = self.asked(EventQuerySerializer)
        show = partial(translate.event, workspace=self.workspace)
        return Response(page(queries.events(self.workspace, asked), asked, show=show))

    @extend_schema(operation_id="createUsageEvent", request=EventSerializer, responses={201: EventReply})
    def post(self, request: Request) -> Response:
        data, now = self.validated(EventSerializer, request.data), timezone.now()
        command = translate.report_event(data, origin=self.origin, received_at=now)
        recorded = ledger.report_event(command=command, recorded_at=now)
        return Response(translate.event(recorded, workspace=self.workspace), status=status.HTTP_201_CREATED)
