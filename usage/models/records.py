"""The ledger's one table, whose rows ``usage.ledger`` alone writes and nobody edits or deletes."""

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
        """Return the records that count now: not superseded, and no retraction."""
        return self.filter(chains.live())

    def as_of(self, cutoff: int) -> Self:
        """Return the records that counted when ``cutoff`` was the ledger's last id."""
        return self.filter(chains.live_as_of(cutoff))

    def called(self, record_id: int) -> Self:
        """Return the records that an id means: the whole chain of a first record, any other record alone."""
        return self.filter(chains.in_chain(record_id))

    def with_line_numbers(self) -> Self:
        """Add ``line_number``, what clients call the record's line, without reading the line's other columns."""
        return self.annotate(line_number=F("line__number"))

    def counted_by(self, invoice_line: InvoiceLine) -> Self:
        """Return exactly the records whose quantities make up an invoice line's, or the events that its rule counts."""
        of_workspace = {"workspace_id": invoice_line.workspace_id}
        # Read in the statement: of a period that its statistics don't reach, the database would take there to be next
        # to nothing, and look through the whole workspace's instead of the line's.
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
        """Return the live records of after a moment that is still to come; to be narrowed to workspaces."""
        # Whatever is to come now was to come when it was received: the index has no others.
        return self.live().filter(occurred_at__gt=ahead).filter(occurred_at__gt=F("recorded_at"))

    def of_nobody(self) -> Self:
        """Return the events without a customer."""
        found = self.filter(customer=None, customer_alias__isnull=False)
        if connections[self.db].vendor != "postgresql":
            return found
        # Says nothing new but to the planner, which has statistics of this: from those of each column alone it would
        # expect a great many, and read the ledger backwards to the first.
        nulls = models.Func("customer_id", "customer_alias", function="num_nulls", output_field=models.IntegerField())
        return found.filter(Exact(nulls, 1))

    def unmatched(self) -> Self:
        """Return the live events that wait for a customer of their alias's name."""
        return self.live().of_nobody().exclude(customer_alias=NOBODY)


class UsageRecordManager(models.Manager.from_queryset(UsageRecordQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> UsageRecordQuerySet:
        """Return the records without what SQL alone compares."""
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
    # Whom the alias named when the record was written: empty on an unmatched event.
    customer = TenantKey(Customer, models.PROTECT, null=True, blank=True, related_name="usage_records", db_index=False)
    event_type = models.CharField(max_length=255, null=True, blank=True)
    quantity = ExactDecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    occurred_at = models.DateTimeField(help_text="When it was used: decides the period.")
    recorded_at = models.DateTimeField(help_text="When we got it.")
    is_late = models.BooleanField(help_text="It changed a period that was closed already.")
    kind = models.CharField(max_length=10, choices=Kind)
    source = models.CharField(max_length=5, choices=Source)
    dialect = models.CharField(max_length=20)
    key = models.CharField(max_length=255, null=True, blank=True, help_text="The sender's own id of the record.")
    recorded_by = models.CharField(max_length=200, help_text="The key, user or file and row it came from.")
    note = models.CharField(max_length=500, blank=True, help_text="Why it was entered, corrected or retracted.")
    properties = ExactJSONField(null=True, blank=True)
    # An event's texts without case, of those that folding changes: what filters that ignore case compare.
    folded = ExactJSONField(null=True, blank=True, editable=False)
    # The first record of a chain of corrections: the id that the sender was told and goes on using.
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
            # What finds records of the whole workspace comes first, here and by name: of indexes that seem to cost as
            # much PostgreSQL takes the one that was made last, and a restored dump makes them in the order of names.
            models.Index(fields=["workspace", "occurred_at", "id"], name="usage_record_all_by_time"),
            models.Index(fields=["workspace", "-id"], condition=Q(is_late=True), name="usage_record_all_late"),
            models.Index(
                fields=["workspace", "line", "occurred_at", "id"],
                # Metering reads the index alone.
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
            # What may be dated in the future: few, whatever the size of the ledger.
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
            # What lists are filtered by, newest first. Each record of a line is in the first two alone.
            # Without the workspace: before there are statistics it would seem as good as the index of keys.
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
        """Whether it counts now."""
        return chains.is_live(kind=self.kind, superseded_by=self.superseded_by_id)

    @property
    def handle(self) -> int:
        """The id that senders know: of the first record, whatever has superseded it since."""
        return self.origin_id or self.pk
