"""Views of prices. A price is never edited: a new one is created instead."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import catalog, rating
from billing.catalog import PriceTerms
from billing.models import Brick, Price, PriceTier
from billing.rating import Tier
from usage.dialects.native.base import NativeView, row_by_number, shown_by
from usage.dialects.native.fields import (
    CurrencyField,
    IdField,
    MomentField,
    NumberField,
    NumberText,
    TextField,
    WordField,
)
from usage.dialects.native.filters import CreatedFilterSet, NamedFilter, TextFilter, WordFilter
from usage.dialects.native.openapi import creation, listing
from usage.dialects.native.rows import find

MOST_TIERS = settings.TIERS_PER_PRICE
FIXED = "A price is never edited: create another, end the line with the old one and add a line with the new one."


class TierSerializer(serializers.Serializer):
    up_to = NumberText(allow_null=True)
    unit_price = NumberText()
    fee = NumberText()


class PriceSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    brick = IdField(source="brick_id")
    name = TextField()
    model = WordField(choices=rating.choices())
    currency = CurrencyField()
    unit_price = NumberText()
    tiers = serializers.SerializerMethodField()
    created_at = MomentField()

    @extend_schema_field(TierSerializer(many=True))
    def get_tiers(self, price: Price) -> list[dict[str, Any]]:
        show_tier = shown_by(TierSerializer)
        return [show_tier(tier) for tier in rating.in_order(price.tiers.all())]


class NewTierSerializer(serializers.Serializer):
    up_to = NumberField(
        before=15,
        after=9,
        above=0,
        allow_null=True,
        default=None,
        help_text="The last unit of the tier; null for the last tier, which is open.",
    )
    unit_price = NumberField(before=15, after=12, least=0)
    fee = NumberField(before=15, after=12, least=0, required=False, help_text="Charged once, if the tier is entered.")


class TermsSerializer(serializers.Serializer):
    name = TextField(max_length=200, required=False, help_text="By default the brick's name.")
    model = WordField(choices=rating.choices())
    currency = CurrencyField(required=False, help_text="By default the subscription's or the workspace's.")
    unit_price = NumberField(
        before=15,
        after=12,
        least=0,
        required=False,
        help_text=f"{rating.help_on('unit_price')} Not for tiered prices.",
    )
    tiers = NewTierSerializer(many=True, required=False, max_length=MOST_TIERS)  # type: ignore[call-arg]  # an argument of the list

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        model = rating.model_named(attrs["model"])
        if model.has_no_place_for(attrs.get("unit_price")):
            raise serializers.ValidationError({"unit_price": [f"{rating.PRICES_IN_TIERS}."]})
        if model.asks_for("unit_price") and "unit_price" not in attrs:
            raise serializers.ValidationError({"unit_price": ["This field is required."]})
        return attrs


class NewPriceSerializer(TermsSerializer):
    brick = TextField(help_text="By id or reference.")


class PriceFilter(CreatedFilterSet):
    brick = NamedFilter(help_text="By id or reference.")
    name = TextFilter()
    model = WordFilter(rating.choices)
    currency = TextFilter()


# The bytes of a tier in a response, rounded up.
TIER_BYTES = 100

show = shown_by(PriceSerializer)


def terms(data: dict[str, Any], *, brick: Brick, currency: str) -> PriceTerms:
    """Return the terms that were sent, by default with the brick's name and in its currency."""
    return PriceTerms(
        name=data.get("name", brick.name),
        model=data["model"],
        currency=data.get("currency", currency),
        unit_price=data.get("unit_price", Decimal(0)),
        tiers=[Tier(**tier) for tier in data.get("tiers", ())],
    )


def gather_tiers(prices: Sequence[Price]) -> None:
    prefetch_related_objects(prices, "tiers")


class PricesView(NativeView):
    def prices(self) -> QuerySet[Price]:
        return Price.objects.filter(workspace=self.workspace).prefetch_related("tiers")


class PriceListView(PricesView):
    @listing("listPrices", of=PriceSerializer, filters=PriceFilter)
    def get(self, request: Request) -> Response:
        found = self.filtered(PriceFilter, Price.objects.filter(workspace=self.workspace))
        tiers = PriceTier.objects.filter(workspace=self.workspace, price=OuterRef("pk")).order_by()
        weights = tiers.values("price").annotate(bytes=Count("pk") * TIER_BYTES).values("bytes")
        return self.page(found, show, weight=Coalesce(Subquery(weights), 0), gather=gather_tiers)

    @creation("createPrice", request=NewPriceSerializer, reply=PriceSerializer)
    def post(self, request: Request) -> Response:
        data = self.validated(NewPriceSerializer, request.data)
        bricks = Brick.objects.filter(workspace=self.workspace)
        brick = find(bricks, {"brick": data["brick"]})["brick"]
        wanted = terms(data, brick=brick, currency=self.workspace.currency)
        return self.created(show(catalog.create_price(brick=brick, **vars(wanted), actor=self.actor)))


@extend_schema(parameters=[OpenApiParameter("price_id", int, OpenApiParameter.PATH)])
class PriceView(PricesView):
    @extend_schema(operation_id="readPrice", responses=PriceSerializer)
    def get(self, request: Request, price_id: str) -> Response:
        return Response(show(row_by_number(self.prices(), price_id)))

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        raise exceptions.MethodNotAllowed(request.method or "", FIXED)
