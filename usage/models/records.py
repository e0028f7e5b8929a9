"""The append-only table of the ledger, which only ``usage.ledger`` writes."""

from datetime import datetime
from typing import Self

from django.db import connections, models
from django.db.models import F, Q, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact

from billing.models import Customer, InvoiceLine, Line, TenantModel, Workspace
from billing.parties import NOBODY
from billing.storage.exact import ExactDecimalField
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey
from usage import chains
from usage.metering import matches


class UsageRecordQuerySet(models.QuerySet["UsageRecord"]):
    def live(self) -> Self:
        """Return the records that count now: neither superseded nor retractions."""
        return self.filter(chains.live())

    def as_of(self, cutoff: int) -> Self:
        """Return the records that counted when ``cutoff`` was the ledger's last id."""
        return self.filter(chains.live_as_of(cutoff))

    def called(self, record_id: int) -> Self:
        """Return the records of an id: the whole chain for a first record, otherwise the single record."""
        return self.filter(chains.in_chain(record_id))

    def with_line_numbers(self) -> Self:
        """Annotate ``line_number``, by which clients identify the record's line, without loading its other columns."""
        return self.annotate(line_number=F("line__number"))

    def counted_by(self, invoice_line: InvoiceLine) -> Self:
        """Return exactly the records that an invoice line counts, or the events that its rule counts."""
        of_workspace = {"workspace_id": invoice_line.workspace_id}
        # A subquery: for a constant period beyond its statistics the database would expect hardly any records, and scan
        # the whole workspace's instead of the line's.
        itself = InvoiceLine.objects.filter(pk=invoice_line.pk, **of_workspace)
        window = self.as_of(invoice_line.cutoff).filter(
            occurred_at__gte=Subquery(itself.values("starts_at")),
            occurred_at__lt=Subquery(itself.values("ends_at")),
            **of_workspace,
        )
        if invoice_line.rule is None:
            return window.filter(line_id=invoice_line.line_id)
        condition, parameters = matches(invoice_line.rule, self.model._meta.db_table)
        counts = RawSQL(condition, parameters, output_field=models.BooleanField())
        return window.filter(counts, customer_id=invoice_line.invoice.customer_id)

    def dated_after(self, ahead: datetime) -> Self:
        """Return the live records dated after a future moment; filter them by workspace."""
        # Records dated in the future now were so when they were received: the index contains only these.
        return self.live().filter(occurred_at__gt=ahead).filter(occurred_at__gt=F("recorded_at"))

    def of_nobody(self) -> Self:
        """Return the events without a customer."""
        found = self.filter(customer=None, customer_alias__isnull=False)
        if connections[self.db].vendor != "postgresql":
            return found
        # Redundant, but the planner has statistics of this expression: by those of the single columns it would expect
        # many records, and scan the ledger backwards for the first ones.
        nulls = models.Func("customer_id", "customer_alias", function="num_nulls", output_field=models.IntegerField())
        return found.filter(Exact(nulls, 1))

    def unmatched(self) -> Self:
        """Return the live events whose alias resolves to no customer yet."""
        return self.live().of_nobody().exclude(customer_alias=NOBODY)


class UsageRecordManager(models.Manager.from_queryset(UsageRecordQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> UsageRecordQuerySet:
        """Return the records without the columns that only SQL uses."""
        return super().get_queryset().defer("folded")


class UsageRecord(TenantModel):
    class Kind(models.TextChoices):
        ENTRY = "entry", "Entry"
        CORRECTION = "correction", "Correction"
        RETRACTION = "retraction", "Retraction"
        MATCH = "match", "Match"

    class Source(models.TextChoices):
        API = "api", "API"
        FILE = "file", "File"
        PANEL = "panel", "Panel"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    # Addressed to a line, or to a customer's alias and an event type (then the line stays empty).
    line = TenantKey(Line, models.PROTECT, null=True, blank=True, related_name="usage_records", db_index=False)
    customer_alias = models.CharField(max_length=255, null=True, blank=True)
    # The customer that the alias resolved to when the record was written: empty on an unmatched event.
    customer = TenantKey(Customer, models.PROTECT, null=True, blank=True, related_name="usage_records", db_index=False)
    event_type = models.CharField(max_length=255, null=True, blank=True)
    quantity = ExactDecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    occurred_at = models.DateTimeField(help_text="The time of usage, which determines the period.")
    recorded_at = models.DateTimeField(help_text="The time of receipt.")
    is_late = models.BooleanField(help_text="It affected a closed period.")
    kind = models.CharField(max_length=10, choices=Kind)
    source = models.CharField(max_length=5, choices=Source)
    dialect = models.CharField(max_length=20)
    key = models.CharField(max_length=255, null=True, blank=True, help_text="The sender's own id of the record.")
    recorded_by = models.CharField(
        max_length=200, help_text="The key, the user, or the file and row that it came from."
    )
    note = models.CharField(max_length=500, blank=True, help_text="The reason for the entry, correction or retraction.")
    properties = ExactJSONField(null=True, blank=True)
    # The case-folded texts of an event that folding changes, for filters that ignore case.
    folded = ExactJSONField(null=True, blank=True, editable=False)
    # The first record of a chain of corrections, whose id the sender knows and continues to use.
    origin = TenantKey("self", models.PROTECT, null=True, blank=True, related_name="descendants", db_index=False)
    superseded_by = TenantKey("self", models.PROTECT, null=True, blank=True, related_name="supersedes", db_index=False)

    objects = UsageRecordManager()

    class Meta:
        verbose_name = "usage record"
        constraints = (
            models.UniqueConstraint(
                fields=["workspace", "dialect", "key"],
                condition=Q(superseded_by=None, key__isnull=False),
                name="usage_record_key_is_unique_while_live",
            ),
            models.CheckConstraint(
                condition=Q(
                    line__isnull=False, quantity__isnull=False, customer_alias=None, event_type=None, customer=None
                )
                | Q(line=None, customer_alias__isnull=False, event_type__isnull=False),
                name="usage_record_has_one_address",
            ),
            models.CheckConstraint(
                condition=Q(superseded_by=None) | Q(superseded_by__gt=F("id")),
                name="usage_record_is_superseded_by_a_later_one",
            ),
            models.CheckConstraint(
                condition=Q(kind="entry", origin=None)
                | Q(kind__in=["correction", "retraction", "match"], origin__isnull=False),
                name="usage_record_origin_is_known_of_a_change",
            ),
            models.CheckConstraint(condition=~Q(key=""), name="usage_record_key_is_not_empty"),
            models.UniqueConstraint(
                fields=["workspace", "superseded_by"],
                condition=Q(superseded_by__isnull=False),
                name="usage_record_supersedes_one",
            ),
        )
        indexes = (
            # Indexes for records of the whole workspace come first, here and by name: of indexes with equal estimated
            # costs PostgreSQL uses the one created last, and a restored dump creates them in the order of names.
            models.Index(fields=["workspace", "occurred_at", "id"], name="usage_record_all_by_time"),
            models.Index(fields=["workspace", "-id"], condition=Q(is_late=True), name="usage_record_all_late"),
            models.Index(
                fields=["workspace", "line", "occurred_at", "id"],
                # For index-only scans of metering.
                include=["quantity", "superseded_by", "kind"],
                name="usage_record_by_line",
            ),
            models.Index(fields=["workspace", "line", "id"], condition=Q(is_late=True), name="usage_record_late"),
            models.Index(
                fields=["workspace", "origin"], condition=Q(origin__isnull=False), name="usage_record_by_origin"
            ),
            models.Index(
                fields=["workspace", "customer", "event_type", "occurred_at", "id"],
                condition=Q(customer__isnull=False),
                name="usage_record_by_customer",
            ),
            # Records that may be dated in the future: few, whatever the size of the ledger.
            models.Index(
                fields=["workspace", "occurred_at"],
                condition=Q(occurred_at__gt=F("recorded_at"), superseded_by=None),
                name="usage_record_dated_ahead",
            ),
            models.Index(
                fields=["workspace", "customer_alias", "id"],
                condition=Q(customer_alias__isnull=False),
                name="usage_record_by_alias",
            ),
            models.Index(
                fields=["workspace", "customer_alias", "id"],
                condition=Q(customer=None, customer_alias__isnull=False, superseded_by=None),
                name="usage_record_unmatched",
            ),
            # For filters of lists, newest first. Each record of a line is only in the first two.
            # Without the workspace: with it, this index would seem as good as that of keys before there are statistics.
            models.Index(fields=["dialect", "-id"], name="usage_record_by_dialect"),
            models.Index(
                fields=["workspace", "source", "-id"],
                condition=~Q(source="api"),
                name="usage_record_by_rare_source",
            ),
            models.Index(
                fields=["workspace", "-id"],
                condition=Q(superseded_by__isnull=False),
                name="usage_record_newest_superseded",
            ),
            models.Index(
                fields=["workspace", "-id"], condition=Q(kind="retraction"), name="usage_record_newest_retraction"
            ),
            models.Index(
                fields=["workspace", "-id"],
                condition=Q(customer_alias__isnull=False),
                name="usage_record_newest_event",
            ),
            models.Index(
                fields=["workspace", "event_type", "-id"],
                condition=Q(event_type__isnull=False),
                name="usage_record_by_type",
            ),
            models.Index(
                fields=["workspace", "-id"],
                condition=Q(customer=None, customer_alias__isnull=False, superseded_by=None),
                name="usage_record_newest_unmatched",
            ),
        )

    def __str__(self) -> str:
        return f"Record {self.pk}"

    @property
    def is_live(self) -> bool:
        """Whether the record counts now."""
        return chains.is_live(kind=self.kind, superseded_by=self.superseded_by_id)

    @property
    def handle(self) -> int:
        """The id that senders know: that of the first record of the chain."""
        return self.origin_id or self.pk
