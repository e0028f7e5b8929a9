"""Views of customers and the aliases under which events report their usage."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import parties
from billing.models import Customer, CustomerAlias
from billing.storage.exact import WholeTotal
from usage.dialects.native.base import NativeView, row_by_id, row_by_number, shown_by
from usage.dialects.native.fields import IdField, MomentField, ReferenceField, TextField, WordField
from usage.dialects.native.filters import CreatedFilterSet, NativeFilterSet, TextFilter, WordFilter
from usage.dialects.native.openapi import by_id, creation, listing
from usage.dialects.shared.lists import bytes_of
from usage.models import Matching

# The bytes of an alias in a response in addition to its value.
_QUOTES = 3


class AliasField(TextField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 255, **options})


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class AliasNames(serializers.Field):
    def get_attribute(self, instance: Customer) -> list[str]:
        if not hasattr(instance, "alias_names"):
            gather_names([instance])
        return instance.alias_names  # type: ignore[attr-defined]

    def to_representation(self, value: list[str]) -> list[str]:
        return value


def gather_names(customers: Sequence[Customer]) -> None:
    """Load customers' aliases as texts only: thousands of model instances would take longer than everything else."""
    names: dict[UUID, list[str]] = defaultdict(list)
    workspaces = {customer.workspace_id for customer in customers}
    aliases = CustomerAlias.objects.filter(workspace__in=workspaces, customer__in=[row.pk for row in customers])
    for customer_id, value in aliases.order_by("pk").values_list("customer", "value"):
        names[customer_id].append(value)
    for customer in customers:
        customer.alias_names = names[customer.pk]  # type: ignore[attr-defined]


class CustomerSerializer(serializers.Serializer):
    id = IdField()
    name = TextField()
    reference = ReferenceField(required=True)
    email = TextField(allow_blank=True)
    address = TextField(allow_blank=True)
    aliases = AliasNames()
    created_at = MomentField()


class NewCustomerSerializer(serializers.Serializer):
    id = IdField(required=False)
    name = TextField(max_length=200)
    reference = ReferenceField()
    email = TextField(max_length=254, required=False, allow_blank=True)
    address = TextField(max_length=1000, required=False, allow_blank=True)
    aliases = serializers.ListField(child=AliasField(), required=False, max_length=settings.ALIASES_PER_REQUEST)


class CustomerChangeSerializer(serializers.Serializer):
    name = TextField(max_length=200, required=False)
    reference = ReferenceField()
    email = TextField(max_length=254, required=False, allow_blank=True)
    address = TextField(max_length=1000, required=False, allow_blank=True)


class AliasSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    value = TextField()
    label = TextField(allow_blank=True)  # type: ignore[assignment]  # a field, not its label
    created_at = MomentField()


class NewAliasSerializer(serializers.Serializer):
    value = AliasField()
    label = TextField(max_length=255, required=False, allow_blank=True)  # type: ignore[assignment]  # a field, not its label


class MatchingSerializer(serializers.Serializer):
    """A job that matches earlier events with a customer who got their name. Affected periods are closed after it."""

    id = serializers.IntegerField()
    name = TextField()
    state = WordField(choices=Matching.State.choices)
    found_count = serializers.IntegerField(
        allow_null=True, help_text="The number of events to match; null until they are counted."
    )
    matched_count = serializers.IntegerField()
    started_at = MomentField()
    finished_at = MomentField(allow_null=True)


class CustomerFilter(CreatedFilterSet):
    name = TextFilter()
    reference = TextFilter()
    alias = TextFilter(field_name="aliases__value", help_text="The customer with this alias.")


class MatchingFilter(NativeFilterSet):
    state = WordFilter(Matching.State)


class AliasFilter(CreatedFilterSet):
    value = TextFilter()


show = shown_by(CustomerSerializer)
show_alias = shown_by(AliasSerializer)
show_matching = shown_by(MatchingSerializer)


class CustomersView(NativeView):
    def customers(self) -> QuerySet[Customer]:
        return Customer.objects.filter(workspace=self.workspace)


class CustomerListView(CustomersView):
    @listing("listCustomers", of=CustomerSerializer, filters=CustomerFilter)
    def get(self, request: Request) -> Response:
        found = self.filtered(CustomerFilter, self.customers())
        names = CustomerAlias.objects.filter(workspace=self.workspace, customer=OuterRef("pk")).order_by()
        weights = names.values("customer").annotate(bytes=WholeTotal(bytes_of("value") + _QUOTES)).values("bytes")
        weight = Coalesce(Subquery(weights), 0)
        return self.page(found, show, by="created_at", weight=weight, gather=gather_names)

    @creation("createCustomer", request=NewCustomerSerializer, reply=CustomerSerializer)
    def post(self, request: Request) -> Response:
        data = self.validated(NewCustomerSerializer, request.data)
        return self.created(show(parties.create_customer(workspace=self.workspace, **data, actor=self.actor)))


@by_id("customer_id")
class CustomerView(CustomersView):
    @extend_schema(operation_id="readCustomer", responses=CustomerSerializer)
    def get(self, request: Request, customer_id: str) -> Response:
        return Response(show(row_by_id(self.customers(), customer_id)))

    @extend_schema(operation_id="changeCustomer", request=CustomerChangeSerializer, responses=CustomerSerializer)
    def patch(self, request: Request, customer_id: str) -> Response:
        customer = row_by_id(self.customers(), customer_id)
        data = self.validated(CustomerChangeSerializer, request.data)
        # An empty reference means none.
        changes = {name: value or "" for name, value in data.items()}
        return Response(show(parties.update_customer(customer=customer, **changes, actor=self.actor)))


@by_id("customer_id")
class AliasListView(CustomersView):
    @listing("listAliases", of=AliasSerializer, filters=AliasFilter)
    def get(self, request: Request, customer_id: str) -> Response:
        aliases = row_by_id(self.customers(), customer_id).aliases.all()
        return self.page(self.filtered(AliasFilter, aliases), show_alias)

    @creation("addAlias", request=NewAliasSerializer, reply=AliasSerializer)
    def post(self, request: Request, customer_id: str) -> Response:
        customer = row_by_id(self.customers(), customer_id)
        data = self.validated(NewAliasSerializer, request.data)
        return self.created(show_alias(parties.add_alias(customer=customer, **data, actor=self.actor)))


@by_id("customer_id")
class AliasView(CustomersView):
    @extend_schema(operation_id="readAlias", responses=AliasSerializer)
    def get(self, request: Request, customer_id: str, alias_id: str) -> Response:
        return Response(show_alias(self.alias(customer_id, alias_id)))

    @extend_schema(operation_id="removeAlias", responses={204: None})
    def delete(self, request: Request, customer_id: str, alias_id: str) -> Response:
        parties.remove_alias(alias=self.alias(customer_id, alias_id), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def alias(self, customer_id: str, alias_id: str) -> CustomerAlias:
        return row_by_number(row_by_id(self.customers(), customer_id).aliases.all(), alias_id)


@by_id("customer_id")
class MatchingListView(CustomersView):
    @listing("listMatchings", of=MatchingSerializer, filters=MatchingFilter)
    def get(self, request: Request, customer_id: str) -> Response:
        """List the jobs that match earlier events under names that were assigned to customers."""
        customer = row_by_id(self.customers(), customer_id)
        matchings = Matching.objects.filter(workspace=self.workspace, customer=customer)
        return self.page(self.filtered(MatchingFilter, matchings), show_matching)
