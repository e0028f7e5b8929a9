"""State of resumable jobs on the ledger: counting records, matching events, the schedule."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models import Customer, TenantModel, Workspace
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class UsageCount(models.Model):
    """The number of usages of a workspace's lines among its records up to ``record_id``, which is final.

    ``next_id`` is the id to count up to once all of the transactions ``beside`` have ended.
    """

    workspace = models.OneToOneField(Workspace, models.PROTECT, related_name="+", primary_key=True)
    record_id = models.BigIntegerField(default=0)
    usages = models.BigIntegerField(default=0)
    next_id = models.BigIntegerField(null=True)
    beside = ExactJSONField(default=list)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(next_id=None) | Q(next_id__gt=F("record_id")), name="usage_count_goes_on"
            ),
        )

    def __str__(self) -> str:
        return f"{self.usages} usages"


class Matching(TenantModel):
    """A job, stored as a row, that matches events under a name with the customer who got it, batch by batch.

    It covers the ledger ids in ``(after_id, until_id]``: later events under the name are the customer's immediately,
    and earlier unmatched ones belong to another customer who had the name in between.
    """

    class State(models.TextChoices):
        MATCHING = "matching", "Being matched"
        DONE = "done", "Done"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    customer = TenantKey(Customer, models.PROTECT, related_name="matchings", db_index=False)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=State, default=State.MATCHING)
    after_id = models.BigIntegerField()
    until_id = models.BigIntegerField()
    found_count = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The number of events to match, counted by the job."
    )
    matched_count = models.PositiveBigIntegerField(default=0)
    started_by = models.CharField(max_length=150, help_text="The actor that assigned the name to the customer.")
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    heartbeat_at = models.DateTimeField(db_default=Now(), help_text="The last heartbeat of a worker.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="matching", finished_at=None) | Q(state="done", finished_at__isnull=False),
                name="usage_matching_is_finished_when_done",
            ),
            models.CheckConstraint(condition=Q(until_id__gt=F("after_id")), name="usage_matching_is_about_events"),
        )
        indexes = (
            models.Index(fields=["workspace", "customer", "-id"], name="usage_matching_of_customer"),
            models.Index(fields=["heartbeat_at"], condition=Q(state="matching"), name="usage_matching_at_work"),
        )

    def __str__(self) -> str:
        return f"Matching {self.name}"


class ScheduleTurn(models.Model):
    """The time when a task of the schedule last completed. It belongs to the installation, not to a workspace."""

    task = models.CharField(max_length=100, primary_key=True)
    ended_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.task
