"""Views that start, show, issue and discard close runs, as staff can in the panel."""

from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import invoicing
from billing.calendar import end_of
from billing.models import CloseItem, CloseRun, Invoice
from billing.money import format_money
from billing.storage.exact import ExactSum
from usage import closing, tasks
from usage.closing import missing_properties
from usage.dialects.native.base import NativeView, row_by_number, shown_by
from usage.dialects.native.fields import WHOLE, CurrencyField, DayField, IdField, MomentField, TextField, WordField
from usage.dialects.native.filters import MomentFilter, NativeFilterSet, WordFilter
from usage.dialects.native.invoices import SpanSerializer
from usage.dialects.native.openapi import creation, listing

MOST_SHOWN = 100


class Conflict(exceptions.APIException):
    """The state of the run or the workspace does not allow this; the message gives the reason."""

    status_code = status.HTTP_409_CONFLICT


class CloseRunSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    state = WordField(choices=CloseRun.State.choices)
    until_at = MomentField(help_text="Periods that end by this moment are closed.")
    issues_itself = serializers.BooleanField(help_text="Whether it issues its drafts without review.")
    started_by = TextField(help_text="The key or the user.")
    started_at = MomentField()
    decided_by = TextField(allow_blank=True, help_text="The key or the user that issued or discarded it.")
    finished_at = MomentField(allow_null=True)
    problem = TextField(
        allow_blank=True, help_text="The error of the last attempt to continue; it is retried automatically."
    )


class ProgressSerializer(serializers.Serializer):
    subscriptions = serializers.IntegerField()
    pending = serializers.IntegerField()
    done = serializers.IntegerField()
    parked = serializers.IntegerField()


class ParkedSerializer(serializers.Serializer):
    subscription = IdField(source="subscription_id")
    reason = TextField()


class NoticeSerializer(serializers.Serializer):
    subscription = IdField(source="subscription.pk")
    line = serializers.IntegerField(source="line.number")
    description = TextField()
    period = SpanSerializer(source="*")
    surprises = serializers.ListField(child=TextField(), help_text="All notices for a reviewer.")


class MissingSerializer(serializers.Serializer):
    brick = IdField(source="brick_id")
    rule = serializers.IntegerField(source="rule_id", help_text="The id of the brick's event rule.")
    event_type = TextField()
    property = TextField(source="name")
    notice = TextField()


class TotalSerializer(serializers.Serializer):
    currency = CurrencyField()
    kind = WordField(choices=Invoice.Kind.choices)
    invoices = serializers.IntegerField()
    issued = serializers.IntegerField()
    total = serializers.CharField(help_text="An amount of money, as text.")


class CloseRunDetailSerializer(CloseRunSerializer):
    progress = serializers.SerializerMethodField(
        help_text="The progress of the computation of drafts, in subscriptions."
    )
    totals = serializers.SerializerMethodField(
        help_text="Totals of its drafts and issued invoices, by currency and kind."
    )
    parked = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} subscriptions that failed; the next close retries them."
    )

    notices = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} notices that are on no invoice: late usage that changes no amount,"
        " of subscriptions with nothing to bill."
    )
    missing = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} properties of event rules that are missing on all measured events, each"
        " once; the affected lines of its drafts have this notice too. Empty until all drafts are computed."
    )

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: CloseRun) -> dict[str, int]:
        states = {state: Count("pk", filter=Q(state=state)) for state in CloseItem.State.values}
        return run.items.aggregate(subscriptions=Count("pk"), **states)

    @extend_schema_field(TotalSerializer(many=True))
    def get_totals(self, run: CloseRun) -> list[dict[str, Any]]:
        totals = run.invoices.values("currency", "kind").annotate(
            invoices=Count("pk"), issued=Count("pk", filter=Q(state=Invoice.State.ISSUED)), amount=ExactSum(F("total"))
        )
        return [
            {
                "currency": row["currency"],
                "kind": row["kind"],
                "invoices": row["invoices"],
                "issued": row["issued"],
                "total": format_money(row["amount"], currency=row["currency"]),
            }
            for row in totals.order_by("currency", "kind")
        ]

    @extend_schema_field(ParkedSerializer(many=True))
    def get_parked(self, run: CloseRun) -> list[dict[str, Any]]:
        parked = run.items.filter(state=CloseItem.State.PARKED).order_by("id")
        return list(map(shown_by(ParkedSerializer), parked[:MOST_SHOWN]))

    @extend_schema_field(NoticeSerializer(many=True))
    def get_notices(self, run: CloseRun) -> list[dict[str, Any]]:
        return list(map(shown_by(NoticeSerializer), closing.notices_of_run(run, most=MOST_SHOWN)))

    @extend_schema_field(MissingSerializer(many=True))
    def get_missing(self, run: CloseRun) -> list[dict[str, Any]]:
        found = [] if run.state == CloseRun.State.COMPUTING else missing_properties(run)[:MOST_SHOWN]
        return list(map(shown_by(MissingSerializer), found))


class NewCloseRunSerializer(serializers.Serializer):
    until = DayField(help_text="Closes every period that is over and ends on or before this day.")


class CloseRunFilter(NativeFilterSet):
    state = WordFilter(CloseRun.State)
    started_from = MomentFilter(
        field_name="started_at", lookup_expr="gte", help_text="Started at or after this moment."
    )
    started_before = MomentFilter(field_name="started_at", lookup_expr="lt", help_text="Started before this moment.")


show = shown_by(CloseRunDetailSerializer)


class CloseRunsView(NativeView):
    def runs(self) -> QuerySet[CloseRun]:
        return CloseRun.objects.filter(workspace=self.workspace).select_related("workspace")


class CloseRunListView(CloseRunsView):
    @listing("listCloseRuns", of=CloseRunSerializer, filters=CloseRunFilter)
    def get(self, request: Request) -> Response:
        return self.page(self.filtered(CloseRunFilter, self.runs()), shown_by(CloseRunSerializer))

    @creation("startCloseRun", request=NewCloseRunSerializer, reply=CloseRunDetailSerializer)
    def post(self, request: Request) -> Response:
        """Close periods: compute their drafts for review, in the background. Nothing is issued yet.

        If no period is over by then, the answer is 409. Subscriptions that are pending or drafted in another run are
        skipped until that run is issued or discarded; if there are no others, the 409 names the run.
        """
        until_at = end_of(self.validated(NewCloseRunSerializer, request.data)["until"], tz=self.workspace.tz)
        try:
            run = closing.start(workspace=self.workspace, until_at=until_at, actor=self.actor, as_of=timezone.now())
        except closing.NothingToClose as nothing:
            raise Conflict(str(nothing)) from nothing
        tasks.enqueue(run)
        return self.created(show(run))


@extend_schema(parameters=[OpenApiParameter("run_id", WHOLE, OpenApiParameter.PATH)])
class CloseRunView(CloseRunsView):
    @extend_schema(operation_id="readCloseRun", responses=CloseRunDetailSerializer)
    def get(self, request: Request, run_id: str) -> Response:
        return Response(show(row_by_number(self.runs(), run_id)))


@extend_schema(parameters=[OpenApiParameter("run_id", WHOLE, OpenApiParameter.PATH)])
class CloseRunIssueView(CloseRunsView):
    @extend_schema(operation_id="issueCloseRun", request=None, responses={202: CloseRunDetailSerializer})
    def post(self, request: Request, run_id: str) -> Response:
        """Issue the drafts of a run that waits for review, in the background. Issued invoices never change."""
        run = row_by_number(self.runs(), run_id)
        try:
            run = invoicing.approve(run=run, actor=self.actor, as_of=timezone.now())
        except invoicing.UnableToIssue as obstacle:
            raise Conflict(str(obstacle)) from obstacle
        tasks.enqueue(run)
        return Response(show(run), status=status.HTTP_202_ACCEPTED)


@extend_schema(parameters=[OpenApiParameter("run_id", WHOLE, OpenApiParameter.PATH)])
class CloseRunDiscardView(CloseRunsView):
    @extend_schema(operation_id="discardCloseRun", request=None, responses=CloseRunDetailSerializer)
    def post(self, request: Request, run_id: str) -> Response:
        """Discard a run's drafts: its periods are open again, and the next close computes them anew."""
        run = row_by_number(self.runs(), run_id)
        try:
            invoicing.discard(run=run, actor=self.actor, as_of=timezone.now())
        except invoicing.UnableToDiscard as obstacle:
            raise Conflict(str(obstacle)) from obstacle
        run.refresh_from_db()
        return Response(show(run))
