from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from billing import contracts, figures
from billing.actors import Actor
from billing.admin.entry_fields import DayField, NumberField, WholeNumberField
from billing.admin.panel_forms import PanelForm, Question
from billing.admin.picking import PickField
from billing.calendar import midnight
from billing.contracts import Limits, LineTerms, distant, distant_end
from billing.entry import Formats
from billing.entry.moments import spell_day
from billing.models import Customer, IdentifierFormField, Line, Price, Subscription, Workspace, validate_currency
from billing.tenancy import Across, across

REFERENCE_HELP = "Its id in another system."
AMOUNT_HELP = "In the subscription's currency, instead of a quantity."


class TextField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(widget=UnfoldAdminTextInputWidget, **options)


def limit_field(**options: Any) -> NumberField:
    return NumberField(required=False, max_digits=24, **options)


class NewSubscriptionForm(PanelForm):
    customer = PickField(Customer)
    starts_on = DayField(label="First day", help_text="In the workspace's time zone.")
    ends_on = DayField(label="Last day", required=False, help_text="The last day covered. Empty: open-ended.")
    interval = forms.ChoiceField(choices=Subscription.Interval, widget=UnfoldAdminSelectWidget)
    anchor_on = DayField(
        label="Anchor day",
        required=False,
        help_text="Periods are counted from this day. Empty: the first day. "
        "The 31st means the last day of shorter months.",
    )
    currency = TextField(
        required=False, max_length=3, validators=[validate_currency], help_text="Empty: the workspace's."
    )
    reference = IdentifierFormField(
        required=False, max_length=100, widget=UnfoldAdminTextInputWidget, help_text=REFERENCE_HELP
    )
    id = forms.UUIDField(
        label="ID",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="A UUID that clients already use. Empty: a new one.",
    )

    def __init__(self, *args: Any, workspace: Workspace, as_of: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        self.workspace = workspace
        self.pick("customer")
        self.read_as(workspace.formats)
        self.as_of = as_of

    def questions(self) -> Iterator[Question]:
        for name in ("starts_on", "anchor_on", "ends_on"):
            yield from about_distance(name, self.cleaned_data[name], self.as_of)

    def remark(self, name: str, value: Any) -> str:
        return distance_of(name, value, self.as_of)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("starts_on") and data.get("ends_on") and data["ends_on"] < data["starts_on"]:
            self.add_error("ends_on", "The last day is before the first day.")
        return data

    def clean_id(self) -> Any:
        taken = self.cleaned_data["id"]
        with across(Across.GIVEN_ID):
            is_taken = taken and Subscription.objects.filter(pk=taken).exists()
        if is_taken:
            raise forms.ValidationError("A subscription with this id already exists.")
        return taken


# Prices are searched by the beginning of their name or their brick's, or by their brick's reference.
PRICE_SEARCH = ("^name", "^brick__name", "=brick__reference")


def prices_for(subscription: Subscription) -> QuerySet[Price]:
    """Return the prices that a line of a subscription can have: of its workspace and in its currency, by brick."""
    prices = Price.objects.filter(workspace_id=subscription.workspace_id, currency=subscription.currency)
    return prices.select_related("brick").order_by("brick__name", "brick_id", "name", "id")


def price_in_words(price: Price) -> str:
    """Return the text of a price in a list with prices of other bricks."""
    return f"{price.brick} — {price}"


class LimitsForm(PanelForm):
    hard_limit_quantity = limit_field(
        label="Hard limit: quantity", decimal_places=9, help_text="Per period. Usage beyond it is refused."
    )
    hard_limit_amount = limit_field(
        label="Hard limit: amount",
        decimal_places=4,
        help_text=AMOUNT_HELP,
    )
    soft_limit_quantity = limit_field(
        label="Soft limit: quantity", decimal_places=9, help_text="Per period. Shown once it is reached."
    )
    soft_limit_amount = limit_field(
        label="Soft limit: amount",
        decimal_places=4,
        help_text=AMOUNT_HELP,
    )


LIMITS = tuple(LimitsForm.base_fields)


def limits_in(data: dict[str, Any]) -> Limits:
    """Return the limits in a form's data."""
    return Limits(**{name: data[name] for name in LIMITS})


def limits_of(line: Line) -> dict[str, Decimal | None]:
    """Return a line's limits as initial data of a form."""
    return {name: getattr(line, name) for name in LIMITS}


class NewLineForm(LimitsForm):
    field_order = ("price", "starts_on", "ends_on", "opens_at_zero", "reference", "number", *LIMITS)

    price = PickField(
        Price,
        row_label=price_in_words,
        label="Brick and price",
        help_text="A price in the subscription's currency. Search by the beginning of its name or its brick's.",
    )
    starts_on = DayField(label="First day", required=False, help_text="Empty: the earliest possible day.")
    ends_on = DayField(
        label="Last day", required=False, help_text="The last day covered. Empty: the end of the subscription."
    )
    opens_at_zero = forms.BooleanField(
        label="The gauge opens at 0",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Otherwise a gauge opens with the last value of the previous line of its brick.",
    )
    reference = IdentifierFormField(
        required=False, max_length=100, widget=UnfoldAdminTextInputWidget, help_text=REFERENCE_HELP
    )
    number = WholeNumberField(
        label="Line number",
        required=False,
        is_grouped=False,
        min_value=1,
        help_text="A whole number that clients already use. Empty: the next one.",
    )

    def __init__(self, *args: Any, subscription: Subscription, actor: Actor, as_of: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        price = self.fields["price"]
        assert isinstance(price, PickField)
        price.search_at(reverse("admin:billing_subscription_prices", args=[subscription.pk]))
        self.pick("price", prices_for(subscription))
        self.read_as(subscription.workspace.formats)
        self.subscription, self.actor, self.as_of = subscription, actor, as_of

    def questions(self) -> Iterator[Question]:
        for name in ("starts_on", "ends_on"):
            yield from about_distance(name, self.cleaned_data[name], self.as_of)
        for effect in contracts.effects_of_adding:
            if seen := effect(self.subscription, self.terms(), self.actor):
                yield Question("price", seen.said, seen.decided)

    def terms(self) -> LineTerms:
        """Return the terms of the line to be added."""
        data, tz = self.cleaned_data, self.subscription.workspace.tz
        return LineTerms(
            brick=data["price"].brick,
            price=data["price"],
            starts_at=data["starts_on"] and midnight(data["starts_on"], tz=tz),
            ends_at=figures.end_of(data["ends_on"], tz),
            reference=data["reference"] or None,
            limits=limits_in(data),
            number=data["number"],
            carries_on=False if data["opens_at_zero"] else None,
        )

    def remark(self, name: str, value: Any) -> str:
        return distance_of(name, value, self.as_of)


class EndForm(PanelForm):
    ends_on = DayField(
        label="Last day",
        required=False,
        help_text="The last day covered. Empty: open-ended, a line ends with its subscription. "
        "The day before it begins: it was a mistake, and is voided.",
    )

    def __init__(self, *args: Any, formats: Formats, as_of: datetime, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read_as(formats)
        self.as_of = as_of

    def questions(self) -> Iterator[Question]:
        yield from about_distance("ends_on", self.cleaned_data["ends_on"], self.as_of)

    def remark(self, name: str, value: Any) -> str:
        return distance_of(name, value, self.as_of)


def about_distance(name: str, day: date | None, as_of: datetime) -> Iterator[Question]:
    """Yield the request to confirm a distant day."""
    if day and (remark := distance_of(name, day, as_of)):
        yield Question(name, f"{spell_day(day)}: {remark}")


def distance_of(name: str, value: Any, as_of: datetime) -> str:
    """Return a remark on a distant first day, anchor or last day; an empty text for other days."""
    if name == "ends_on":
        return distant_end(value, as_of=as_of) or ""
    return (distant(value, as_of=as_of) or "") if name in ("starts_on", "anchor_on") else ""
