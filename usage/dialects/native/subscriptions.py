"""Views that create, read, change and end subscriptions and their lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import contracts
from billing.calendar import midnight
from billing.contracts import LineTerms
from billing.models import Brick, Customer, Line, Price, Subscription
from usage.dialects.native import prices, subscriptions_serializers
from usage.dialects.native.base import NativeView, row_by_id, row_by_number, shown_by
from usage.dialects.native.fields import parse_id
from usage.dialects.native.filters import CreatedFilterSet, FlagFilter, NamedFilter, TextFilter, WordFilter
from usage.dialects.native.openapi import by_id, creation, listing
from usage.dialects.native.rows import find, find_by_number
from usage.dialects.native.subscriptions_serializers import (
    EndedSubscriptionSerializer,
    EndSerializer,
    LineAloneSerializer,
    LineChangeSerializer,
    NewLineSerializer,
    NewSubscriptionSerializer,
    SubscriptionSerializer,
)

# The bytes of a line in a response, rounded up.
LINE_BYTES = 400

show = shown_by(SubscriptionSerializer)
show_line = shown_by(LineAloneSerializer)


def gather_lines(subscriptions: Sequence[Subscription]) -> None:
    prefetch_related_objects(subscriptions, "lines")


class _SoldFilter(NamedFilter):
    """Filter for subscriptions that have a line of a brick."""

    def filter(self, queryset: QuerySet[Subscription], value: str) -> QuerySet[Subscription]:
        lines = Line.objects.filter(workspace=self.parent.workspace, subscription=OuterRef("pk"))
        return queryset.filter(Exists(super().filter(lines, value))) if value else queryset


class SubscriptionFilter(CreatedFilterSet):
    reference = TextFilter()
    customer = NamedFilter(help_text="By id or reference.")
    brick = _SoldFilter(help_text="The brick of one of its lines, by id or reference.")
    interval = WordFilter(Subscription.Interval)
    is_over = FlagFilter(
        field_name="next_close_at", lookup_expr="isnull", help_text="Whether its last period is closed."
    )


class SubscriptionsView(NativeView):
    paths = {
        f"{side}_limit_{kind}": f"limits.{side}.{kind}"
        for side in subscriptions_serializers.SIDES
        for kind in subscriptions_serializers.KINDS
    }
    paths |= {"number": "id"}

    def subscriptions(self) -> QuerySet[Subscription]:
        return Subscription.objects.filter(workspace=self.workspace)

    def line(self, subscription_id: str, line_id: str) -> Line:
        lines = Line.objects.filter(workspace=self.workspace, subscription=parse_id(subscription_id))
        return row_by_number(lines, line_id, field="number")

    def terms(self, lines: dict[str, dict[str, Any]], *, currency: str) -> list[LineTerms]:
        """Return the lines that were sent, by their path in the request, with their bricks and prices."""
        bricks = find(
            Brick.objects.filter(workspace=self.workspace),
            {f"{path}brick": sent["brick"] for path, sent in lines.items()},
        )
        known = find_by_number(
            Price.objects.filter(workspace=self.workspace).prefetch_related("tiers"),
            {f"{path}price": sent["price"] for path, sent in lines.items() if isinstance(sent["price"], int)},
        )
        found = []
        for path, sent in lines.items():
            brick = bricks[f"{path}brick"]
            price = known.get(f"{path}price") or prices.terms(sent["price"], brick=brick, currency=currency)
            limits = subscriptions_serializers.limits(sent.get("limits", {}))
            found.append(LineTerms(**{**sent, "brick": brick, "price": price, "limits": limits}))
        return found


class SubscriptionListView(SubscriptionsView):
    @listing("listSubscriptions", of=SubscriptionSerializer, filters=SubscriptionFilter)
    def get(self, request: Request) -> Response:
        found = self.filtered(SubscriptionFilter, self.subscriptions())
        lines = (
            Line.objects.filter(workspace=self.workspace, subscription=OuterRef("pk")).order_by().values("subscription")
        )
        weight = Coalesce(Subquery(lines.annotate(bytes=Count("pk") * LINE_BYTES).values("bytes")), 0)
        return self.page(found, show, by="created_at", weight=weight, gather=gather_lines)

    @creation("createSubscription", request=NewSubscriptionSerializer, reply=SubscriptionSerializer)
    def post(self, request: Request) -> Response:
        """Create a subscription with its lines, all or nothing.

        Ids and references may be those of another system, so that its clients can report usage unchanged.
        """
        data = self.validated(NewSubscriptionSerializer, request.data)
        subscriptions_serializers.check_starts(data, as_of=timezone.now())
        customers = Customer.objects.filter(workspace=self.workspace).select_related("workspace")
        customer = find(customers, {"customer": data.pop("customer")})["customer"]
        starts_at = self.start(data)
        subscription = contracts.create_subscription(
            customer=customer,
            starts_at=starts_at,
            anchor_on=data.pop("anchor_on", starts_at.astimezone(self.workspace.tz).date()),
            lines=self.terms(
                {f"lines.{place}.": sent for place, sent in enumerate(data.pop("lines", ()))},
                currency=data.get("currency", self.workspace.currency),
            ),
            **data,
            actor=self.actor,
        )
        return self.created(show(self.subscriptions().get(pk=subscription.pk)))

    def start(self, data: dict[str, Any]) -> datetime:
        return data.pop("starts_at") if "starts_at" in data else midnight(data.pop("starts_on"), tz=self.workspace.tz)


@by_id("subscription_id")
class SubscriptionView(SubscriptionsView):
    @extend_schema(operation_id="readSubscription", responses=SubscriptionSerializer)
    def get(self, request: Request, subscription_id: str) -> Response:
        return Response(show(row_by_id(self.subscriptions(), subscription_id)))


@by_id("subscription_id")
class SubscriptionEndView(SubscriptionsView):
    @extend_schema(operation_id="endSubscription", request=EndSerializer, responses=EndedSubscriptionSerializer)
    def post(self, request: Request, subscription_id: str) -> Response:
        """End the subscription and its lines; its last period is then closed like any other.

        A later end, or null for none, extends it and the lines that end with it. Lines that ended before stay ended and
        are listed in the response. An end at its start voids it, if no period is closed: nothing of it is billed, and
        its references can be used again.
        """
        subscription = row_by_id(self.subscriptions(), subscription_id)
        ended = contracts.end_subscription(
            subscription=subscription,
            **self.validated(EndSerializer, request.data),
            as_of=timezone.now(),
            actor=self.actor,
        )
        stay = contracts.staying_ended(subscription=ended, former_end=subscription.ends_at)
        shown = show(self.subscriptions().get(pk=subscription.pk))
        return Response(shown | {"stay_ended": [line.number for line in stay]})


@by_id("subscription_id")
class LineListView(SubscriptionsView):
    @creation("addLine", request=NewLineSerializer, reply=LineAloneSerializer)
    def post(self, request: Request, subscription_id: str) -> Response:
        """Add a line. For a gauge, the response has its opening value."""
        subscription = row_by_id(self.subscriptions(), subscription_id)
        data = self.validated(NewLineSerializer, request.data)
        subscriptions_serializers.check_starts(data, as_of=timezone.now())
        [terms] = self.terms({"": data}, currency=subscription.currency)
        return self.created(show_line(contracts.add_line(subscription=subscription, **vars(terms), actor=self.actor)))


@extend_schema(parameters=[OpenApiParameter("line_id", int, OpenApiParameter.PATH)])
@by_id("subscription_id")
class LineView(SubscriptionsView):
    @extend_schema(operation_id="readLine", responses=LineAloneSerializer)
    def get(self, request: Request, subscription_id: str, line_id: str) -> Response:
        return Response(show_line(self.line(subscription_id, line_id)))

    @extend_schema(operation_id="changeLine", request=LineChangeSerializer, responses=LineAloneSerializer)
    def patch(self, request: Request, subscription_id: str, line_id: str) -> Response:
        """Set the line's limits. Nothing else of a line can change: to change its price, end it and add a new one."""
        line = self.line(subscription_id, line_id)
        data = self.validated(LineChangeSerializer, request.data)
        limits = subscriptions_serializers.limits(data["limits"], former=line)
        return Response(show_line(contracts.set_limits(line=line, limits=limits, actor=self.actor)))


@extend_schema(parameters=[OpenApiParameter("line_id", int, OpenApiParameter.PATH)])
@by_id("subscription_id")
class LineEndView(SubscriptionsView):
    @extend_schema(operation_id="endLine", request=EndSerializer, responses=LineAloneSerializer)
    def post(self, request: Request, subscription_id: str, line_id: str) -> Response:
        line = self.line(subscription_id, line_id)
        ended = contracts.end_line(
            line=line, **self.validated(EndSerializer, request.data), as_of=timezone.now(), actor=self.actor
        )
        return Response(show_line(ended))
