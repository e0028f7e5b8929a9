from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, TextField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.admin import TabularInline
from unfold.decorators import display as column
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from billing import actors, figures, names, parties
from billing.admin.pages import OfWorkspace, PickableAdmin, copyable
from billing.admin.paging import ROWS_PER_PAGE, page_of
from billing.admin.row_forms import WholeModelForm, refuse_taken_names
from billing.admin.seen_rows import SeenRows
from billing.models import Customer, CustomerAlias, Name


class CustomerForm(WholeModelForm):
    def clean(self) -> dict[str, Any] | None:
        if "reference" in self.changed_data:
            parties.refuse_nobody(self.cleaned_data.get("reference"), field="reference")
        refuse_taken_names(self, Name.Kind.CUSTOMER)
        return super().clean()


class AliasForm(WholeModelForm):
    def clean(self) -> dict[str, Any] | None:
        # The customer may be new and not saved yet. A row of another customer is refused elsewhere.
        customer, value = self.cleaned_data.get("customer"), self.cleaned_data.get("value", "")
        if customer is None:
            return super().clean()
        self.instance.workspace_id = customer.workspace_id
        if "value" in self.changed_data:
            parties.refuse_nobody(value, field="value")
        if value and "value" in self.changed_data and customer.workspace_id:
            names.check(
                workspace_id=customer.workspace_id,
                kind=Name.Kind.CUSTOMER,
                owner=str(customer.pk),
                names={value: "value"},
            )
        return super().clean()


class AliasInline(OfWorkspace, TabularInline):
    model = CustomerAlias
    form = AliasForm
    formset = SeenRows
    fields = ("value", "label")
    verbose_name_plural = "aliases: other names under which usage may be reported"
    extra = 0
    ordering = ("value",)
    per_page = ROWS_PER_PAGE


@admin.register(Customer)
class CustomerAdmin(PickableAdmin):
    form = CustomerForm
    list_display = ("name", "shown_reference", "email", "subscription_count")
    list_select_related = ("workspace",)
    search_fields = ("^name", "=reference", "=email")
    ordering = ("name", "pk")
    counted = {"subscription_count": "subscriptions"}
    fields = ("name", "workspace", "reference", "email", "address", "id")
    inlines = (AliasInline,)
    formfield_overrides = {TextField: {"widget": UnfoldAdminExpandableTextareaWidget}}
    change_form_template = "panel/pages/customer.html"

    @column(description="Reference", ordering="reference")
    def shown_reference(self, customer: Customer) -> str:
        return figures.identifier(customer.reference)

    @column(description="Subscriptions")
    def subscription_count(self, customer: Any) -> int:
        return customer.subscription_count

    @column(description="ID")
    def copyable_id(self, customer: Customer) -> str:
        return copyable(customer.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).select_related("workspace")

    def get_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        # The form of a new customer shows the workspace that it is added to.
        return self.fields if obj is None else ("name", "reference", "email", "address", "copyable_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return ("workspace",) if obj is None else ("copyable_id",)

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Customer, form: CustomerForm, change: bool) -> None:
        actor = actors.person(request.user)
        if change:
            # Untouched fields may have been changed by others.
            touched = [name for name in ("name", "reference", "email", "address") if name in form.changed_data]
            parties.update_customer(customer=obj, **{name: getattr(obj, name) or "" for name in touched}, actor=actor)
            return
        given = {name: getattr(obj, name) for name in ("name", "email", "address")}
        parties.create_customer(workspace=obj.workspace, reference=obj.reference, id=obj.pk, **given, actor=actor)
        # Aliases that are added with the customer need the customer to be saved.
        obj.refresh_from_db()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        actor = actors.person(request.user)
        for alias in formset.deleted_objects:
            parties.remove_alias(alias=alias, actor=actor)
        for alias in formset.new_objects:
            parties.add_alias(customer=alias.customer, value=alias.value, label=alias.label, actor=actor)
        for alias, touched in formset.changed_objects:
            parties.update_alias(alias=alias, **{name: getattr(alias, name) for name in touched}, actor=actor)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        customer = self.get_object(request, object_id)
        rows = customer.subscriptions.order_by("-created_at", "pk") if customer else ()
        subscriptions = page_of(request, rows, name="subscriptions-page")
        may_add = customer is not None and request.user.has_perm("billing.add_subscription")
        add_url = f"{reverse('admin:billing_subscription_add')}?customer={customer.pk}" if may_add else ""
        context = {"subscriptions": subscriptions, "add_subscription_url": add_url}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))
