"""Close runs: started, watched, issued and discarded. A key may do all of this, as staff may in the panel."""

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
    """The run, or the workspace, is not in a state for this; the message says why."""

    status_code = status.HTTP_409_CONFLICT


class CloseRunSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    state = WordField(choices=CloseRun.State.choices)
    until_at = MomentField(help_text="Periods that end by this moment are closed.")
    issues_itself = serializers.BooleanField(help_text="Whether it goes on to issue its drafts without review.")
    started_by = TextField(help_text="The key, or who it was.")
    started_at = MomentField()
    decided_by = TextField(allow_blank=True, help_text="Who issued or discarded it.")
    finished_at = MomentField(allow_null=True)
    problem = TextField(
        allow_blank=True, help_text="Why it did not go on when it was last tried; it is tried again by itself."
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
    surprises = serializers.ListField(child=TextField(), help_text="All that a reviewer should look at.")


class MissingSerializer(serializers.Serializer):
    brick = IdField(source="brick_id")
    rule = serializers.IntegerField(source="rule_id", help_text="Which of the brick's rules, by a number of its own.")
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
    progress = serializers.SerializerMethodField(help_text="Of the computing of drafts, in subscriptions.")
    totals = serializers.SerializerMethodField(help_text="Of its drafts and issued invoices, by currency and kind.")
    parked = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} that failed; the next close tries them again."
    )

    notices = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} things to look at that no invoice tells: late usage that changes no amount,"
        " of subscriptions for which there is nothing to bill."
    )
    missing = serializers.SerializerMethodField(
        help_text=f"The first {MOST_SHOWN} properties that a rule reads or filters by and that no event has of all that"
        " the run looked at, each once; the lines of its drafts that have such events tell it too. Once all are"
        " computed: empty before."
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
    until = DayField(help_text="Closes every period that is over and whose last day is this one or earlier.")


class CloseRunFilter(NativeFilterSet):
    state = WordFilter(CloseRun.State)
    started_from = MomentFilter(field_name="started_at", lookup_expr="gte", help_text="Started then or later.")
    started_before = MomentFilter(field_name="started_at", lookup_expr="lt", help_text="Started before.")


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
        """Close periods: their drafts are computed for review, in the background. Nothing is issued yet.

        Where no period is over by then, there is nothing to close: 409. What another run has pending or drafted is left
        to it until it is issued or discarded; where that is all, the 409 names the run.
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
        """Issue the drafts of a run that waits for review, in the background. What is issued is never edited again."""
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
        """Take a run's drafts back: its periods are open again, and the next close computes them anew."""
        run = row_by_number(self.runs(), run_id)
        try:
            invoicing.discard(run=run, actor=self.actor, as_of=timezone.now())
        except invoicing.UnableToDiscard as obstacle:
            raise Conflict(str(obstacle)) from obstacle
        run.refresh_from_db()
        return Response(show(run))
