"""Bricks, their event rules, prices and tiers. Written by ``billing.catalog`` only."""

import builtins
import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing import aggregations, rating
from billing.aggregations import Aggregation, EventAggregation
from billing.models.parties import Workspace, validate_currency
from billing.models.tenants import TenantModel
from billing.models.texts import IdentifierField, NameField, visible
from billing.rating import PER_UNIT, PricingModel, Terms, Tier
from billing.storage.exact import ExactDecimalField
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class Brick(TenantModel):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="bricks", db_index=False)
    name = NameField(max_length=200)
    reference = IdentifierField(max_length=100, null=True, blank=True, help_text="Its id in another system.")
    aggregation = models.CharField(
        max_length=aggregations.LONGEST_NAME,
        choices=aggregations.brick_choices,
        default=aggregations.DEFAULT,
        help_text="How a period's records become one quantity. Fixed once a subscription has a line of the brick.",
    )
    unit_label = NameField(max_length=40, default="units", help_text="On invoices: “30 units”.")
    description = models.TextField(blank=True, max_length=1000)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since then no lines of it can be added."
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "reference"], name="billing_brick_reference_is_unique"),
            models.CheckConstraint(condition=~Q(reference=""), name="billing_brick_reference_is_not_empty"),
        )
        indexes = (models.Index(fields=["workspace", "name"], name="billing_brick_by_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def metering(self) -> Aggregation:
        """The aggregation with its properties."""
        return aggregations.OF_BRICKS[self.aggregation]

    @property
    def is_metered(self) -> bool:
        return self.metering.is_metered


class EventRule(TenantModel):
    """How events become a brick's quantity. Never edited: a change adds a new rule, which applies to open periods.

    An invoice line refers to the rule by which it was measured, so that it can be computed again.
    """

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    brick = TenantKey(Brick, models.PROTECT, related_name="event_rules")
    event_type = IdentifierField(max_length=255)
    aggregation = models.CharField(max_length=aggregations.LONGEST_NAME, choices=aggregations.rule_choices)
    property = IdentifierField(
        max_length=255, blank=True, help_text="The property that is added or counted distinctly."
    )
    filters = ExactJSONField(
        default=dict, blank=True, help_text="Property -> its matching values; every filter has to match."
    )
    negated = ExactJSONField(default=list, blank=True, help_text="The properties whose values must not match.")
    is_case_sensitive = models.BooleanField(default=True, help_text="Whether filters are case-sensitive.")
    folded_filters = ExactJSONField(
        null=True, blank=True, editable=False, help_text="The case-folded filters, if filters ignore case."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    replaced_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["workspace", "brick"],
                condition=Q(replaced_at=None),
                name="billing_brick_has_one_event_rule",
            ),
            models.CheckConstraint(
                condition=Q(aggregation=aggregations.READS_NO_PROPERTY) | ~Q(property=""),
                name="billing_event_rule_names_what_it_adds",
            ),
            models.CheckConstraint(condition=~Q(event_type=""), name="billing_event_rule_names_its_event"),
            models.CheckConstraint(
                condition=Q(is_case_sensitive=True, folded_filters__isnull=True)
                | Q(is_case_sensitive=False, folded_filters__isnull=False),
                name="billing_event_rule_is_folded_where_case_is_ignored",
            ),
        )
        indexes = (models.Index(fields=["workspace", "event_type"], name="billing_event_rule_by_type"),)

    def __str__(self) -> str:
        return f"{self.counting.label} of {visible(self.event_type)}"

    @builtins.property  # the field hides its name
    def counting(self) -> EventAggregation:
        """The aggregation with its properties."""
        return aggregations.OF_RULES[self.aggregation]


class Price(TenantModel):
    """How a quantity of a brick becomes money. Never edited once a billed line uses it; copied instead."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="prices", db_index=False)
    brick = TenantKey(Brick, models.PROTECT, related_name="prices")
    name = NameField(max_length=200)
    model = models.CharField(max_length=16, choices=rating.choices(), default=PER_UNIT.name)
    currency = models.CharField(max_length=3, validators=[validate_currency])
    unit_price = ExactDecimalField(
        max_digits=27,
        decimal_places=12,
        default=0,
        help_text=f"{rating.help_on('unit_price')} Tiered: leave at 0.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="billing_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(model__in=rating.names_of_models(asking_for="unit_price")) | Q(unit_price=0),
                name="billing_tiered_price_has_no_unit_price",
            ),
        )
        indexes = (models.Index(fields=["workspace", "brick"], name="billing_price_by_brick"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.currency})"

    @property
    def pricing(self) -> PricingModel:
        """The pricing model that the column names."""
        return rating.model_named(self.model)

    @property
    def is_tiered(self) -> bool:
        return self.pricing.is_tiered

    def terms(self) -> Terms:
        """Return the price as rating reads it; raise ``TermsError`` if its tiers are incomplete."""
        tiers = rating.in_order(self.tiers.all()) if self.is_tiered else ()
        return Terms(
            model=self.pricing,
            currency=self.currency,
            unit_price=self.unit_price,
            tiers=tuple(tier.as_tier() for tier in tiers),
        )


class PriceTier(TenantModel):
    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    price = TenantKey(Price, models.CASCADE, related_name="tiers")
    up_to = ExactDecimalField(
        max_digits=24,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="The last unit of the tier, inclusive. Empty: the open last tier.",
    )
    unit_price = ExactDecimalField(max_digits=27, decimal_places=12, default=0)
    fee = ExactDecimalField(max_digits=27, decimal_places=12, default=0, help_text="Once, when entered.")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "price", "up_to"], name="billing_price_tier_bound_is_unique"),
            models.UniqueConstraint(
                fields=["workspace", "price"],
                condition=Q(up_to=None),
                name="billing_price_has_one_open_tier",
            ),
            models.CheckConstraint(
                condition=Q(up_to=None) | Q(up_to__gt=0),
                name="billing_price_tier_bound_is_positive",
                violation_error_message="The upper bound of a tier must be above zero.",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0, fee__gte=0),
                name="billing_price_tier_is_not_negative",
                violation_error_message="A tier's price and fee can't be negative.",
            ),
        )

    def __str__(self) -> str:
        return "the rest" if self.up_to is None else f"up to {self.up_to.normalize():f}"

    def as_tier(self) -> Tier:
        """Return the tier as rating reads it."""
        return Tier(up_to=self.up_to, unit_price=self.unit_price, fee=self.fee)
