"""Views that report usage, singly and in batches, and list, correct and retract it."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.names import parse_whole
from usage import ledger
from usage.commands import CorrectUsage, RecordById, RecordUsage, ReportEvent, RetractUsage
from usage.dialects.native import errors, usage_serializers
from usage.dialects.native.base import NativeView
from usage.dialects.native.fields import WHOLE
from usage.dialects.native.openapi import listing
from usage.dialects.native.translate import Wrong, is_key, read_reports
from usage.dialects.native.usage_filters import RecordFilter
from usage.dialects.native.usage_serializers import CorrectionSerializer, RecordSerializer
from usage.dialects.shared import lists
from usage.models import UsageRecord, UsageRecordQuerySet
from usage.newest import are_few


class UsageView(NativeView):
    def records(self) -> UsageRecordQuerySet:
        return UsageRecord.objects.with_line_numbers().filter(workspace=self.workspace)

    def live_record(self, text: str) -> UsageRecord:
        """Return the live version of the record in a path; raise ``NotFound``."""
        known = parse_whole(text)
        record = None if known is None else self.records().live().called(known).first()
        if record is None:
            raise exceptions.NotFound
        return record


# Filters whose index has another order than the list.
_WITHOUT_ORDER = {"line", "subscription", "brick", "customer", "recorded_from", "recorded_before"}


class RecordListView(UsageView):
    @listing("listUsage", of=RecordSerializer, filters=RecordFilter)
    def get(self, request: Request) -> Response:
        """List usage, newest first; if filtered by the time of usage, ordered by it.

        A page ends early if its records have large properties.
        """
        by = "occurred_at" if {"occurred_from", "occurred_before"} & request.query_params.keys() else "pk"
        with lists.within_time(narrow_by="line, customer, customer_alias, key or the moments of usage"):
            found = self.filtered(RecordFilter, self.records())
            is_short = by == "pk" and bool(_WITHOUT_ORDER & request.query_params.keys()) and are_few(found)
            return self.page(found, usage_serializers.show, by=by, sized="properties", are_gathered=is_short)

    @extend_schema(
        operation_id="reportUsage",
        request=usage_serializers.NEW_RECORD,
        responses={201: RecordSerializer, (409, errors.MEDIA_TYPE): usage_serializers.TakenSerializer},
        parameters=[OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201])],
    )
    def post(self, request: Request) -> Response:
        """Report usage of a line, or a customer's event.

        A `key` that is already in use is refused with 409; `record` is the record that has it.
        """
        now = timezone.now()
        [command] = read_reports([request.data], workspace=self.workspace, origin=self.origin, as_of=now)
        if isinstance(command, dict):
            raise exceptions.ValidationError(command)
        try:
            return self.created(usage_serializers.show(_report(command, recorded_at=now)))
        except ledger.DuplicateKey as duplicate:
            problem = errors.body(errors.refused(duplicate)) | {"record": duplicate.record_id}
            return Response(problem, status=status.HTTP_409_CONFLICT)


def _report(command: RecordUsage | ReportEvent, *, recorded_at: datetime) -> UsageRecord:
    """Record a command and return the record without loading it."""
    made: dict[str, Any]
    line_number = None
    if isinstance(command, ReportEvent):
        event = ledger.report_event(command=command, recorded_at=recorded_at)
        recorded: ledger.Recorded | ledger.RecordedEvent = event
        made = {
            "customer_id": event.customer_id,
            "customer_alias": event.customer_alias,
            "event_type": event.event_type,
            "key": event.key,
        }
    else:
        recorded = ledger.record(command=command, recorded_at=recorded_at)
        line_number = recorded.line_number
        made = {"line_id": recorded.line_id, "quantity": recorded.quantity, "key": command.key, "note": command.note}
    record = UsageRecord(
        pk=recorded.id,
        kind=UsageRecord.Kind.ENTRY,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        is_late=recorded.is_late,
        source=command.origin.source,
        dialect=command.origin.dialect,
        recorded_by=command.origin.recorded_by,
        properties=command.properties,
        **made,
    )
    record.line_number = line_number  # type: ignore[attr-defined]  # annotated by queries
    return record


class BatchView(UsageView):
    @extend_schema(
        operation_id="reportUsageBatch",
        request=usage_serializers.BatchSerializer,
        responses=usage_serializers.BatchReplySerializer,
    )
    def post(self, request: Request) -> Response:
        """Report many records at once, of lines and of events: each is accepted or refused separately.

        Accepted records are committed together before the response, whose results are in the order of the records.
        """
        sent = self.batch(request.data)
        now = timezone.now()
        reports = read_reports(sent, workspace=self.workspace, origin=self.origin, as_of=now)
        commands = [report for report in reports if not isinstance(report, dict)]
        outcomes = iter(ledger.record_many(commands=commands, recorded_at=now))
        results = [
            _result(index, report if isinstance(report, dict) else next(outcomes))
            for index, report in enumerate(reports)
        ]
        counts = Counter(result["status"] for result in results)
        self.has_changed = counts["recorded"] > 0
        return Response({**{word: counts[word] for word in usage_serializers.OUTCOMES}, "results": results})

    def batch(self, data: Any) -> list[Any]:
        """Return the records that were sent, unvalidated; raise ``ValidationError`` if they are not a list."""
        if not isinstance(data, dict):
            kind = type(data).__name__
            raise exceptions.ValidationError(f"Invalid data. Expected a dictionary, but got {kind}.")
        sent = data.get("records")
        if not isinstance(sent, list):
            message = "This field is required." if sent is None else "Must be a list of records."
            raise exceptions.ValidationError({"records": [message]})
        most = settings.RECORDS_PER_BATCH
        if not 0 < len(sent) <= most:
            raise exceptions.ValidationError({"records": [f"Must have from 1 to {most} records."]})
        if self.idempotency_key is not None:
            self._require_keys(sent)
        return sent

    def _require_keys(self, sent: list[Any]) -> None:
        """Refuse too many records without keys under an idempotency key: the response would be too large to store."""
        keyless = sum(not (isinstance(record, dict) and is_key(record.get("key"))) for record in sent)
        if keyless > settings.KEYLESS_RECORDS:
            raise exceptions.ValidationError(
                {
                    "records": [
                        f"With an {self.idempotency_header} at most {settings.KEYLESS_RECORDS} records may have no key,"
                        f" and {keyless} have none: give each a key, or send smaller batches."
                    ]
                }
            )


def _result(index: int, outcome: ledger.Recorded | ledger.RecordedEvent | ledger.UnableToRecord | Wrong) -> Any:
    match outcome:
        case dict():
            wrong = [{"field": name, "message": text} for name, texts in outcome.items() for text in texts]
            return {"index": index, "status": "refused", "errors": wrong}
        case ledger.DuplicateKey():
            return {"index": index, "status": "duplicate", "id": outcome.record_id}
        case ledger.UnableToRecord():
            wrong = [{"field": outcome.field or "", "message": outcome.message}]
            return {"index": index, "status": "refused", "errors": wrong}
        case _:
            return {"index": index, "status": "recorded", "id": outcome.handle}


@extend_schema(parameters=[OpenApiParameter("record_id", WHOLE, OpenApiParameter.PATH)])
class RecordView(UsageView):
    @extend_schema(operation_id="readUsage", responses=RecordSerializer)
    def get(self, request: Request, record_id: str) -> Response:
        return Response(usage_serializers.show(self.live_record(record_id)))

    @extend_schema(operation_id="correctUsage", request=CorrectionSerializer, responses=RecordSerializer)
    def patch(self, request: Request, record_id: str) -> Response:
        """Correct a record: omitted members are kept. If it was billed, the next close bills the difference."""
        record = self.live_record(record_id)
        changes = self.validated(CorrectionSerializer, request.data)
        command = CorrectUsage(origin=self.origin, target=RecordById(record.handle), **changes)
        correct = ledger.correct_event if record.line_id is None else ledger.correct
        corrected = correct(command=command, recorded_at=timezone.now())
        return Response(usage_serializers.show(self.records().get(pk=corrected.id)))

    @extend_schema(operation_id="retractUsage", responses={204: None})
    def delete(self, request: Request, record_id: str) -> Response:
        """Retract a record: it no longer counts. Its key stays in use, so that a late retry is not recorded again."""
        record = self.live_record(record_id)
        command = RetractUsage(origin=self.origin, target=RecordById(record.handle))
        retract = ledger.retract_event if record.line_id is None else ledger.retract
        retract(command=command, recorded_at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
