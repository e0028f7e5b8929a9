"""Workspaces (tenants), their API keys, allowed origins and customers, and the customers' aliases.

Written by ``billing.parties`` and ``billing.keys`` only.
"""

import functools
import uuid
import zoneinfo
from collections.abc import Set
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.entry import Formats, moments, numbers
from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.localmoment import LocalMoment
from billing.models.tenants import TenantModel
from billing.models.texts import IdentifierField, NameField, visible
from billing.money import UnknownCurrency, minor_digits
from billing.tenancy.keys import TenantKey, WorkspaceKey


@functools.cache
def _time_zones() -> Set[str]:
    """Return the names of all time zones. Reading them walks through a folder of files."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(value: str) -> None:
    if value not in _time_zones():
        raise ValidationError("“%(value)s” is not a time zone, such as Europe/Berlin.", params={"value": value})


def validate_currency(value: str) -> None:
    try:
        minor_digits(value)
    except UnknownCurrency as error:
        raise ValidationError("“%(value)s” is not a currency, such as USD.", params={"value": value}) from error


class Workspace(models.Model):
    class Mode(models.TextChoices):
        LIVE = "live", "Live"
        TEST = "test", "Test"

    class Closing(models.TextChoices):
        MANUAL = "manual", "Manually"
        DRAFTS = "drafts", "Automatically, with review"
        ISSUE = "issue", "Automatically, without review"

    code = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z", "Letters, digits, '_', '.' and '-' only.")],
        help_text="The id that clients send for the workspace or account, such as acc_01H8XYZ.",
    )
    mode = models.CharField(max_length=4, choices=Mode, default=Mode.LIVE, editable=False)
    live = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="twin", editable=False, db_index=False
    )
    name = NameField(max_length=200)
    time_zone = models.CharField(
        max_length=64,
        validators=[validate_time_zone],
        help_text="Periods begin and end at midnight here. Fixed once there are subscriptions.",
    )
    currency = models.CharField(max_length=3, validators=[validate_currency], help_text="ISO 4217, such as USD.")
    closing = models.CharField(
        max_length=6, choices=Closing, default=Closing.MANUAL, help_text="How periods that have ended are closed."
    )
    closing_delay_hours = models.PositiveSmallIntegerField(
        default=1, help_text="How long automatic closing waits for the last usage of an ended period."
    )
    number_format = models.CharField(
        max_length=5,
        choices=[(style.value, numbers.EXAMPLES[style]) for style in NumberFormat],
        default=NumberFormat.POINT.value,
        db_default=NumberFormat.POINT.value,
        help_text="Format of numbers in input and output. Numbers in other formats are refused.",
    )
    day_format = models.CharField(
        max_length=10,
        choices=[(style.value, moments.EXAMPLES[style]) for style in DayFormat],
        default=DayFormat.ISO.value,
        db_default=DayFormat.ISO.value,
        help_text="Format of days in input; 2026-11-30 is always accepted.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["code", "mode"], name="billing_workspace_code_is_unique"),
            models.CheckConstraint(
                condition=Q(mode="live", live=None) | Q(mode="test", live__isnull=False),
                name="billing_workspace_is_live_or_a_twin",
            ),
        )

    def __str__(self) -> str:
        return self.name if self.mode == self.Mode.LIVE else f"{self.name} (test)"

    @property
    def tz(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def formats(self) -> Formats:
        return Formats(numbers=NumberFormat(self.number_format), days=DayFormat(self.day_format), tz=self.tz)

    def local(self, moment: datetime) -> LocalMoment:
        """Return a moment for a message: ISO 8601 with the workspace's offset."""
        return LocalMoment(moment, self.tz)


class ApiKey(TenantModel):
    """A secret by which a service authenticates. Only its digest is stored; see ``billing.keys``."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="api_keys", db_index=False)
    name = NameField(max_length=100, help_text="The service that uses it.")
    prefix = models.CharField(max_length=16, editable=False)
    # Unique over all workspaces: the key determines the workspace.
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Further requests are refused with 429. Empty: no limit."
    )
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = (
            models.UniqueConstraint(fields=["digest"], name="billing_api_key_digest_is_unique"),
            models.CheckConstraint(
                condition=Q(requests_per_minute=None) | Q(requests_per_minute__gt=0),
                name="billing_api_key_rate_is_positive",
                violation_error_message="Requests per minute must be above zero, or empty for no limit.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ApiKeyUse(TenantModel):
    """The last use of a key, once it was used. A separate table, since keys are mostly read and uses are written.

    Keys are looked up over all workspaces, before the workspace is known; their uses are rows of their workspace.
    """

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    api_key = TenantKey(ApiKey, models.PROTECT, related_name="uses", db_index=False)
    last_used_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["workspace", "api_key"], name="billing_api_key_has_one_use"),)

    def __str__(self) -> str:
        return f"used at {self.last_used_at:%Y-%m-%d %H:%M}"


class AllowedOrigin(TenantModel):
    """A website whose pages may call the APIs from the browser with this workspace's keys."""

    workspace = WorkspaceKey(Workspace, models.CASCADE, related_name="allowed_origins", db_index=False)
    origin = models.CharField(
        max_length=255,
        validators=[
            RegexValidator(r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?\Z", "Such as https://app.example.com, without a path.")
        ],
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "origin"], name="billing_allowed_origin_is_unique"),
        )
        indexes = (models.Index(fields=["origin"], name="billing_allowed_origin_by_name"),)

    def __str__(self) -> str:
        return self.origin


class Customer(TenantModel):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="customers", db_index=False)
    name = NameField(max_length=200)
    reference = IdentifierField(max_length=100, null=True, blank=True, help_text="Its id in another system.")
    email = models.EmailField(blank=True)
    address = models.TextField(blank=True, max_length=1000)
    # Events dated earlier fall in a closed period of a line that counts events: the ledger marks them as late under the
    # customer's lock.
    events_open_from_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "reference"], name="billing_customer_reference_is_unique"),
            models.CheckConstraint(condition=~Q(reference=""), name="billing_customer_reference_is_not_empty"),
        )
        indexes = (models.Index(fields=["workspace", "name"], name="billing_customer_by_name"),)

    def __str__(self) -> str:
        return self.name


class CustomerAlias(TenantModel):
    """Another name under which events may report a customer's usage."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    customer = TenantKey(Customer, models.CASCADE, related_name="aliases")
    value = IdentifierField(max_length=255)
    label = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "customer aliases"
        constraints = (
            models.UniqueConstraint(fields=["workspace", "value"], name="billing_customer_alias_is_unique"),
            models.CheckConstraint(condition=~Q(value=""), name="billing_customer_alias_is_not_empty"),
        )

    def __str__(self) -> str:
        return visible(self.value)
