"""Prices in the panel, with their tiers. A billed price can't be changed, only copied."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, Field, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline
from unfold.decorators import display as column
from unfold.widgets import UnfoldAdminTextInputWidget

from billing import actors, catalog, figures, rating
from billing.admin.actions import Reply, RowAction, buttons
from billing.admin.pages import OfWorkspace, PanelAdmin
from billing.admin.panel_forms import AskingForm, PanelForm
from billing.admin.picking import PickField
from billing.admin.row_forms import WholeModelForm, entry_field
from billing.admin.seen_rows import SeenRows
from billing.entry import Formats
from billing.entry.numbers import in_format, spell_number
from billing.models import Brick, Price, PriceTier
from billing.money import format_price
from billing.rating import Terms, TermsError, Tier, bound_order

TIER_FIELDS = ("up_to", "unit_price", "fee")


class PriceForm(WholeModelForm):
    brick = PickField(Brick)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "brick" in self.fields:
            self.pick("brick")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        model = rating.find_model(data.get("model"))
        if model and model.has_no_place_for(data.get("unit_price")):
            self.add_error("unit_price", f"{rating.PRICES_IN_TIERS}: leave this at 0.")
        brick = data.get("brick") or self.instance.brick_id and self.instance.brick
        if brick and model and (objection := catalog.objection_to_model(brick, model)):
            self.add_error("model", objection)
        return data


class TierForm(AskingForm, forms.ModelForm):
    pass


class TierFormSet(SeenRows):
    """Tiers of a price, validated together with the price before either is saved."""

    def standing(self, before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
        # A tier is identified by its bound: its row is replaced with every change.
        by_bound = {bound: pk for pk, bound in now.items()}
        return {pk: pk for pk in now} | {pk: by_bound[bound] for pk, bound in before.items() if bound in by_bound}

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.read_as(self._formats())

    def full_clean(self) -> None:
        # The brick of a new price is known only after the price's own form was validated.
        for form in self.forms:
            form.read_as(self._formats())
        super().full_clean()

    def _formats(self) -> Formats | None:
        return self.instance.workspace.formats if self.instance.workspace_id else None

    def clean(self) -> None:
        super().clean()
        price, count = self.instance, len(self.kept())
        try:
            catalog.refuse_too_many_tiers(count)
        except ValidationError as refusal:
            raise ValidationError(refusal.messages) from refusal
        model = rating.find_model(price.model)
        if any(self.errors) or model is None or not price.currency:
            return
        unit_price = price.unit_price or Decimal(0)
        try:
            Terms(model=model, currency=price.currency, unit_price=unit_price, tiers=tuple(self.tiers()))
        except TermsError as error:
            self._name(error, self._typed())

    def tiers(self) -> list[Tier]:
        """Return the tiers as entered, in order."""
        return [Tier(**{name: form.cleaned_data[name] for name in TIER_FIELDS}) for form in self._typed()]

    def _typed(self) -> list[forms.ModelForm]:
        typed = (form for form in self.kept() if form.cleaned_data)
        return sorted(typed, key=lambda form: bound_order(form.cleaned_data["up_to"]))

    def kept(self) -> list[forms.ModelForm]:
        return [
            form
            for form in self.forms
            if (form.instance.pk or form.has_changed()) and not self._should_delete_form(form)
        ]

    def _name(self, error: TermsError, rows: Sequence[forms.ModelForm]) -> None:
        place, _, field = error.field.removeprefix("tiers[").partition("].")
        if field:
            rows[int(place)].add_error(field, error.problem.capitalize())
        elif error.field == "tiers":
            raise ValidationError(f"Tiers: {error.problem}")


class TierInline(OfWorkspace, TabularInline):
    model = PriceTier
    form = TierForm
    formset = TierFormSet
    fields = TIER_FIELDS
    shown_fields = ("shown_up_to", "shown_unit_price", "shown_fee")
    verbose_name_plural = f"tiers, for {' and '.join(rating.names_of_models(asking_for='tiers'))} prices"
    extra = 0
    hide_title = True

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        return self.fields if self._is_typed(request, obj) else self.shown_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        return () if self._is_typed(request, obj) else self.shown_fields

    def _is_typed(self, request: HttpRequest, price: Price | None) -> bool:
        return self.has_change_permission(request, price) or self.has_add_permission(request, price)

    @column(description="Up to")
    def shown_up_to(self, tier: PriceTier) -> str:
        return figures.NOTHING if tier.up_to is None else spell_number(tier.up_to, tier.price.workspace.formats.numbers)

    @column(description="Unit price")
    def shown_unit_price(self, tier: PriceTier) -> str:
        return shown_price(tier.unit_price, tier.price)

    @column(description="Fee")
    def shown_fee(self, tier: PriceTier) -> str:
        return shown_price(tier.fee, tier.price)

    def get_max_num(self, request: HttpRequest, obj: Price | None = None, **options: Any) -> int:
        return settings.TIERS_PER_PRICE

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceTier]:
        return super().get_queryset(request).order_by(F("up_to").asc(nulls_last=True))

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **options: Any) -> forms.Field | None:
        return entry_field(db_field) or super().formfield_for_dbfield(db_field, request, **options)

    def has_add_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_add_permission(request, obj) and not is_fixed(obj)

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_change_permission(request, obj) and not is_fixed(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not is_fixed(obj)


def shown_price(amount: Decimal, price: Price) -> str:
    """Format an amount of a price in its workspace's format, with at least its currency's decimals."""
    return in_format(format_price(amount, currency=price.currency), price.workspace.formats.numbers)


def is_fixed(price: Price | None) -> bool:
    return price is not None and catalog.is_billed(price)


class CopyForm(PanelForm):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, help_text="The name of the copy.")


class CopyPrice(RowAction[Price, CopyForm]):
    name, label, icon = "copy", "Copy to edit", "content_copy"
    right = "billing.add_price"
    submit = "Copy"

    def title(self) -> str:
        return f"Copy {self.row}"

    def intro(self) -> str:
        return "A billed price can't be edited. The copy, with its tiers, can be."

    def form(self) -> CopyForm:
        return CopyForm(self.posted, initial={"name": f"{self.row.name} (copy)"})

    def perform(self, form: CopyForm) -> Reply:
        try:
            copy = catalog.copy_price(price=self.row, name=form.cleaned_data["name"], actor=self.actor)
        except TermsError as error:
            raise ValidationError(f"The price is incomplete: {error}") from error
        message = f"{copy} is a copy of {self.row}: edit it, then add a line with it."
        return Reply(copy, message, log=f"Copied from {self.row}.", is_added=True)


@admin.register(Price)
@buttons(CopyPrice)
class PriceAdmin(PanelAdmin):
    form = PriceForm
    list_display = ("name", "brick", "model_name", "currency", "unit_price_text", "tier_count")
    list_filter = ("model",)
    list_select_related = ("brick", "workspace")
    search_fields = ("^name", "^brick__name")
    ordering = ("-id",)
    counted = {"tier_count": "tiers"}
    fields = ("workspace", "name", "brick", "model", "currency", "unit_price")
    inlines = (TierInline,)
    change_form_before_template = "panel/boxes/price_note.html"

    @column(description="Model", ordering="model")
    def model_name(self, price: Price) -> str:
        return price.pricing.label

    @column(description="Unit price", ordering="unit_price")
    def unit_price_text(self, price: Price) -> str:
        return figures.NOTHING if price.is_tiered else shown_price(price.unit_price, price)

    @column(description="Tiers")
    def tier_count(self, price: Any) -> int | str:
        return price.tier_count or figures.NOTHING

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).select_related("brick", "workspace")

    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        if obj is None:
            return self.fields
        unit_price = "unit_price" if self.has_change_permission(request, obj) else "unit_price_text"
        return ("name", "brick", "model", "currency", unit_price)

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        return ("workspace",) if obj is None else ("brick", "currency", "unit_price_text")

    def is_fixed(self, obj: Price | None) -> bool:
        return is_fixed(obj)

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_change_permission(request, obj) and not self.is_fixed(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Price, form: PriceForm, change: bool) -> None:
        """Do nothing: ``save_related`` saves the price with its tiers."""

    def save_related(self, request: HttpRequest, form: PriceForm, formsets: Sequence[Any], change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)
        tiers = next((formset.tiers() for formset in formsets), None)
        price, actor = form.instance, actors.person(request.user)
        # Untouched fields may have been changed by others.
        columns = ("name", "model", "unit_price")
        given = {name: getattr(price, name) for name in columns if not change or name in form.changed_data}
        try:
            if change:
                catalog.change_price(price=price, tiers=tiers, **given, actor=actor)
            else:
                given |= {"brick": price.brick, "currency": price.currency, "tiers": tiers or ()}
                made = catalog.create_price(**given, actor=actor)
                price.pk = made.pk
        except TermsError as error:
            raise ValidationError(f"The price is incomplete: {error}") from error

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        price = self.get_object(request, object_id)
        context = {"is_fixed": is_fixed(price), "copy_url": self.url_of(price, "copy") if price else ""}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))
