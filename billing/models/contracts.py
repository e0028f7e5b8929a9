"""Subscriptions and their lines. Written by ``billing.contracts`` only, except the pointers of closing."""

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.calendar import Interval
from billing.models.catalog import Brick, Price
from billing.models.parties import Customer, Workspace, validate_currency
from billing.models.tenants import TenantModel
from billing.models.texts import IdentifierField, visible
from billing.storage.exact import ExactDecimalField
from billing.tenancy.keys import TenantKey, WorkspaceKey

# The greatest integer that JavaScript clients represent exactly.
GREATEST_LINE_NUMBER = 2**53 - 1


class Subscription(TenantModel):
    class Interval(models.TextChoices):
        MONTHLY = Interval.MONTHLY.value, "Monthly"
        QUARTERLY = Interval.QUARTERLY.value, "Quarterly"
        YEARLY = Interval.YEARLY.value, "Yearly"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="subscriptions", db_index=False)
    customer = TenantKey(Customer, models.PROTECT, related_name="subscriptions")
    reference = IdentifierField(max_length=100, null=True, blank=True, help_text="Its id in another system.")
    currency = models.CharField(max_length=3, validators=[validate_currency])
    interval = models.CharField(max_length=9, choices=Interval, default=Interval.MONTHLY)
    anchor_on = models.DateField(
        help_text="Periods are counted from this day; the 31st means the last day of shorter months."
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="The first moment no longer covered.")
    # Pointers of closing: the first open period starts at open_from_at and ends at next_close_at, which is empty once
    # the last period of an ended subscription is closed. Set by closing, indexed.
    open_from_at = models.DateTimeField(editable=False)
    next_close_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "reference"], name="billing_subscription_reference_is_unique"),
            models.CheckConstraint(condition=~Q(reference=""), name="billing_subscription_reference_is_not_empty"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                name="billing_subscription_does_not_end_before_its_start",
            ),
            models.CheckConstraint(
                condition=Q(open_from_at__gte=F("starts_at"))
                & (Q(next_close_at=None) | Q(next_close_at__gt=F("open_from_at"))),
                name="billing_subscription_pointers_are_in_order",
            ),
        )
        indexes = (
            models.Index(fields=["workspace", "next_close_at"], name="billing_subscription_due"),
            models.Index(fields=["workspace", "-created_at"], name="billing_subscription_newest"),
        )

    def __str__(self) -> str:
        return visible(self.reference) if self.reference else str(self.id)

    @property
    def is_voided(self) -> bool:
        """Tell whether it was voided, as created by mistake: it ends at its start."""
        return self.ends_at == self.starts_at


class LineQuerySet(models.QuerySet["Line"]):
    def not_voided(self) -> Self:
        return self.exclude(ends_at=F("starts_at"))


class Line(TenantModel):
    """A brick in a subscription at a price, from ``starts_at`` until ``ends_at``; a voided line ends at its start.

    Clients identify it by its number, which is unique in the workspace and thus independent of other tenants. The
    primary key is generated and never shown.
    """

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="lines", db_index=False)
    subscription = TenantKey(Subscription, models.PROTECT, related_name="lines")
    number = models.BigIntegerField(help_text="By which clients identify it. Unique in the workspace.")
    brick = TenantKey(Brick, models.PROTECT, related_name="lines")
    price = TenantKey(Price, models.PROTECT, related_name="lines")
    reference = IdentifierField(max_length=100, null=True, blank=True, help_text="Its id in another system.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True, help_text="The first moment no longer covered.")
    # Kept even if a subscription that ends earlier cuts the line short: ends_at is the earlier of the two.
    own_ends_at = models.DateTimeField(null=True, editable=False, help_text="Empty: it ends with its subscription.")
    # Of a gauge. The previous line is the brick's last one in the subscription that started earlier.
    carries_on = models.BooleanField(
        default=False, db_default=False, help_text="Opens with the last value of the previous line, not at 0."
    )
    # Usage dated before open_from_at falls in a closed period: the ledger marks it as late under the line's lock.
    open_from_at = models.DateTimeField(editable=False)
    # The highest ledger id that the last close of the line included.
    cutoff = models.BigIntegerField(default=0, db_default=0, editable=False)
    # Limits of a period's usage: reaching the soft limit is shown, usage beyond the hard limit is refused.
    soft_limit_quantity = ExactDecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    soft_limit_amount = ExactDecimalField(max_digits=24, decimal_places=4, null=True, blank=True)
    hard_limit_quantity = ExactDecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    hard_limit_amount = ExactDecimalField(max_digits=24, decimal_places=4, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = LineQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "number"], name="billing_line_number_is_unique"),
            models.CheckConstraint(
                condition=Q(number__gte=1, number__lte=GREATEST_LINE_NUMBER), name="billing_line_number_is_in_range"
            ),
            models.UniqueConstraint(fields=["workspace", "reference"], name="billing_line_reference_is_unique"),
            models.CheckConstraint(condition=~Q(reference=""), name="billing_line_reference_is_not_empty"),
            models.UniqueConstraint(
                fields=["workspace", "subscription", "brick", "starts_at"],
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="billing_line_start_is_unique",
            ),
            models.UniqueConstraint(
                fields=["workspace", "subscription", "brick"],
                condition=Q(ends_at=None),
                name="billing_brick_has_one_open_line",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                name="billing_line_does_not_end_before_its_start",
            ),
            models.CheckConstraint(
                condition=Q(own_ends_at=None) | Q(ends_at__isnull=False, ends_at__lte=F("own_ends_at")),
                name="billing_line_does_not_end_after_its_own_end",
            ),
            models.CheckConstraint(condition=Q(cutoff__gte=0), name="billing_line_cutoff_is_not_negative"),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{limit}_limit_quantity": None}) | Q(**{f"{limit}_limit_amount": None}),
                    name=f"billing_line_{limit}_limit_is_a_quantity_or_an_amount",
                )
                for limit in ("soft", "hard")
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{name: None}) | Q(**{f"{name}__gt": 0}), name=f"billing_line_{name}_is_positive"
                )
                for name in ("soft_limit_quantity", "soft_limit_amount", "hard_limit_quantity", "hard_limit_amount")
            ),
        )

    def __str__(self) -> str:
        return f"Line {self.number}"

    @property
    def is_voided(self) -> bool:
        """Tell whether it was voided, as created by mistake: it ends at its start."""
        return self.ends_at == self.starts_at
