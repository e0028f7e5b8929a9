"""Views of customers and of the aliases under which their events are reported."""
# ruff: noqa: N815  (the vendor's names)

from functools import partial
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from billing import parties
from billing.models import Customer, CustomerAlias
from usage.dialects.sequence import rows, translate
from usage.dialects.sequence.base import SequenceView, text_in_path, uuid_in_path
from usage.dialects.sequence.fields import MAX_NAME, NameField
from usage.dialects.sequence.pagination import PageSerializer, PaginationReply, page
from usage.dialects.shared.paths import as_written
from usage.ledger import find_customers


class LabelField(serializers.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_NAME, required=False, allow_null=True, allow_blank=True, **options)


class AliasSerializer(serializers.Serializer):
    customerId = NameField()
    value = NameField()
    label = LabelField(default=None)  # type: ignore[assignment]  # fields have labels too


class AliasChangeSerializer(serializers.Serializer):
    label = LabelField()  # type: ignore[assignment]  # as above


class AliasQuerySerializer(PageSerializer):
    value = NameField(required=False)


class AliasReply(serializers.Serializer):
    id = serializers.UUIDField()
    sequenceAccountId = serializers.CharField()
    customerId = serializers.UUIDField()
    value = serializers.CharField()
    createdAt = serializers.DateTimeField()
    deletedAt = serializers.DateTimeField(required=False)
    label = serializers.CharField(required=False)  # type: ignore[assignment]  # fields have labels too


class AliasPageReply(serializers.Serializer):
    items = AliasReply(many=True)
    pagination = PaginationReply()


class AliasesReply(serializers.Serializer):
    items = AliasReply(many=True)


class AddressReply(serializers.Serializer):
    line1 = serializers.CharField()
    line2 = serializers.CharField(required=False)
    town = serializers.CharField()
    postcode = serializers.CharField()
    country = serializers.CharField(allow_null=True)


class CustomerReply(serializers.Serializer):
    id = serializers.UUIDField()
    createdAt = serializers.DateTimeField()
    legalName = serializers.CharField()
    address = AddressReply()
    email = serializers.CharField()
    billingEmails = serializers.ListField(child=serializers.CharField())
    integrationIds = serializers.ListField(child=serializers.DictField(), max_length=0)
    taxStatus = serializers.ChoiceField(["TAXED"])


class AliasesView(SequenceView):
    idempotency_header = "Idempotency-Key"

    @extend_schema(operation_id="listCustomerAliases", parameters=[AliasQuerySerializer], responses=AliasPageReply)
    def get(self, request: Request) -> Response:
        asked = self.asked(AliasQuerySerializer)
        found = rows.aliases(self.workspace)
        if "value" in asked:
            found = found.filter(value=asked["value"])
        return Response(page(found, asked, show=partial(translate.alias, workspace=self.workspace)))

    @extend_schema(operation_id="createCustomerAlias", request=AliasSerializer, responses={201: AliasReply})
    def post(self, request: Request) -> Response:
        data = self.validated(AliasSerializer, request.data)
        customer = rows.customer(self.workspace, data["customerId"])
        if customer is None:
            raise exceptions.ValidationError({"customerId": ["There is no such customer."]})
        added = parties.add_alias(customer=customer, value=data["value"], label=data["label"] or "", actor=self.actor)
        return Response(translate.alias(added, workspace=self.workspace), status=status.HTTP_201_CREATED)


class AliasView(SequenceView):
    @extend_schema(operation_id="updateCustomerAlias", request=AliasChangeSerializer, responses=AliasReply)
    def put(self, request: Request, alias_id: str) -> Response:
        alias = self._alias(alias_id)
        data = self.validated(AliasChangeSerializer, request.data)
        changed = (
            parties.update_alias(alias=alias, label=data["label"] or "", actor=self.actor) if "label" in data else alias
        )
        return Response(translate.alias(changed, workspace=self.workspace))

    @extend_schema(operation_id="deleteCustomerAlias", responses={200: AliasReply})
    def delete(self, request: Request, alias_id: str) -> Response:
        alias = self._alias(alias_id)
        parties.remove_alias(alias=alias, actor=self.actor)
        shown = translate.alias(alias, workspace=self.workspace)
        return Response(shown | {"deletedAt": translate.moment(timezone.now())})

    def _alias(self, told: str) -> CustomerAlias:
        alias = rows.alias_with_id(self.workspace, uuid_in_path(told))
        if alias is None:
            raise exceptions.NotFound
        return alias


class CustomerAliasesView(SequenceView):
    @extend_schema(operation_id="listAliasesOfCustomer", responses=AliasesReply)
    def get(self, request: Request, customer_id: str) -> Response:
        self.asked(Serializer)
        customer = rows.customer(self.workspace, text_in_path(customer_id))
        if customer is None:
            raise exceptions.NotFound
        found = rows.aliases(self.workspace).filter(customer=customer).order_by("id")
        return Response({"items": [translate.alias(row, workspace=self.workspace) for row in found]})


class CustomerByAliasView(SequenceView):
    @extend_schema(operation_id="retrieveCustomerByAlias", responses=CustomerReply)
    def get(self, request: Request, alias: str) -> Response:
        names = list(as_written(text_in_path(alias)))
        named = find_customers(names, workspace_id=self.workspace.pk)
        customer_id = next((named[name] for name in names if name in named), None)
        if customer_id is None:
            raise exceptions.NotFound
        return Response(translate.customer(Customer.objects.get(workspace=self.workspace, pk=customer_id)))
