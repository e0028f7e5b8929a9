"""Invoices and their lines: drafts until issued, then immutable. Written by ``billing.invoicing`` only."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models.catalog import EventRule, Price
from billing.models.contracts import Line, Subscription
from billing.models.parties import Customer, Workspace
from billing.models.periods import BillingPeriod, CloseRun
from billing.models.tenants import TenantModel
from billing.storage.exact import ExactDecimalField
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class Invoice(TenantModel):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ISSUED = "issued", "Issued"

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        CREDIT_NOTE = "credit_note", "Credit note"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="invoices", db_index=False)
    customer = TenantKey(Customer, models.PROTECT, related_name="invoices")
    subscription = TenantKey(Subscription, models.PROTECT, related_name="invoices")
    # Empty if the invoice has only differences: an ended subscription has no due period left for them.
    period = TenantKey(BillingPeriod, models.PROTECT, null=True, blank=True, related_name="invoices")
    run = TenantKey(CloseRun, models.PROTECT, related_name="invoices", db_index=False)
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT)
    kind = models.CharField(max_length=11, choices=Kind)
    sequence = models.PositiveBigIntegerField(null=True, blank=True)
    number = models.CharField(max_length=40, null=True, blank=True)
    currency = models.CharField(max_length=3)
    total = ExactDecimalField(max_digits=24, decimal_places=4)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cutoff = models.BigIntegerField(help_text="The highest ledger id that this invoice includes.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    issued_at = models.DateTimeField(null=True, blank=True)
    document = models.TextField(blank=True, help_text="The issued document, as canonical JSON.")
    document_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["workspace", "number"], name="billing_invoice_number_is_unique"),
            models.UniqueConstraint(fields=["workspace", "period"], name="billing_period_has_one_invoice"),
            models.UniqueConstraint(
                fields=["workspace", "kind", "sequence"], name="billing_invoice_sequence_is_unique"
            ),
            models.UniqueConstraint(
                fields=["workspace", "subscription", "cutoff"],
                condition=Q(period=None),
                name="billing_differences_are_billed_once",
            ),
            models.CheckConstraint(
                condition=Q(state="draft", number=None, sequence=None, issued_at=None, document="")
                | (
                    Q(state="issued", number__isnull=False, sequence__isnull=False, issued_at__isnull=False)
                    & ~Q(document="")
                ),
                name="billing_invoice_has_a_number_when_issued",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice", total__gte=0) | Q(kind="credit_note", total__lt=0),
                name="billing_negative_total_is_a_credit_note",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="billing_invoice_ends_after_its_start"
            ),
        )
        indexes = (
            models.Index(fields=["workspace", "run", "state", "id"], name="billing_invoice_by_run"),
            models.Index(fields=["workspace", "-created_at"], name="billing_invoice_newest"),
        )

    def __str__(self) -> str:
        return self.number or f"Draft {self.pk}"


class InvoiceLine(TenantModel):
    class Kind(models.TextChoices):
        USAGE = "usage", "Usage"
        TRUE_UP = "true_up", "True-up"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    invoice = TenantKey(Invoice, models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveIntegerField()
    line = TenantKey(Line, models.PROTECT, related_name="invoice_lines", db_index=False)
    price = TenantKey(Price, models.PROTECT, related_name="invoice_lines")
    # Of a brick that counts events: the rule by which they were measured.
    rule = TenantKey(EventRule, models.PROTECT, null=True, blank=True, related_name="invoice_lines")
    kind = models.CharField(max_length=7, choices=Kind)
    description = models.CharField(max_length=300)
    # The measured window: the part of the billed period in which the line was active.
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # Calendar days that the line covers, of those of the whole period: prorates a flat price. None if it lies within
    # a day that is the next line's.
    days = models.PositiveIntegerField()
    of_days = models.PositiveIntegerField()
    cutoff = models.BigIntegerField()
    quantity = ExactDecimalField(max_digits=30, decimal_places=9)
    record_count = models.PositiveBigIntegerField()
    # The number of events that add nothing, and of those without the property. Not part of the document.
    unread_count = models.PositiveBigIntegerField(default=0)
    missing_count = models.PositiveBigIntegerField(default=0)
    unread_sample = ExactJSONField(default=list, help_text="The first and the last of them: record id and value.")
    filter_gaps = ExactJSONField(
        default=dict,
        help_text="Per property that the rule filters by: the number of events if none of them has it, else 0.",
    )
    rated = ExactDecimalField(max_digits=24, decimal_places=4, help_text="The price of the whole quantity.")
    billed_before = ExactDecimalField(max_digits=24, decimal_places=4, help_text="Billed on earlier invoices.")
    amount = ExactDecimalField(max_digits=24, decimal_places=4, help_text="rated - billed_before")
    steps = ExactJSONField(help_text="The calculation, step by step.")
    surprise = models.CharField(max_length=200, blank=True, help_text="The notice of rating; part of the document.")
    surprises = ExactJSONField(default=list, help_text="All notices for a reviewer, as of the draft.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["workspace", "invoice", "position"], name="billing_invoice_line_position_is_unique"
            ),
            models.UniqueConstraint(
                fields=["workspace", "line", "starts_at", "cutoff"],
                name="billing_usage_is_billed_once_per_cutoff",
            ),
            models.UniqueConstraint(
                fields=["workspace", "line", "starts_at"],
                condition=Q(kind="usage"),
                name="billing_usage_of_a_period_is_billed_once",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="billing_invoice_line_ends_after_its_start"
            ),
            models.CheckConstraint(
                condition=Q(days__gte=0, days__lte=F("of_days"), of_days__gt=0),
                name="billing_invoice_line_days_are_in_order",
            ),
        )
        indexes = (models.Index(fields=["workspace", "line", "starts_at"], name="billing_invoiced_line"),)

    def __str__(self) -> str:
        return self.description


class NumberSeries(TenantModel):
    """The next number of a workspace's invoices, credit notes or lines; its row is locked while one is assigned."""

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        CREDIT_NOTE = "credit_note", "Credit note"
        LINE = "line", "Line"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=11, choices=Kind)
    next_sequence = models.PositiveBigIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"
        constraints = (models.UniqueConstraint(fields=["workspace", "kind"], name="billing_number_series_is_unique"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: next {self.next_sequence}"
