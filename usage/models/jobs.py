"""Work on the ledger that goes on from where it was: counting records, matching events, the schedule."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models import Customer, TenantModel, Workspace
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class UsageCount(models.Model):
    """How many usages the lines of a workspace have, of its records up to ``record_id``: these are counted for good.

    ``next_id`` is where counting will get to: once none of the transactions ``beside`` it runs any more.
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
    """Many events that waited under a name when a customer got it, given to the customer batch by batch.

    A job that is a row. It is about the ledger ids in ``(after_id, until_id]``: what is sent under the name later is
    the customer's at once, and what waited before that is another's who had the name in between.
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
        null=True, blank=True, help_text="How many waited; counted by the job."
    )
    matched_count = models.PositiveBigIntegerField(default=0)
    started_by = models.CharField(max_length=150, help_text="Who gave the customer the name.")
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    heartbeat_at = models.DateTimeField(db_default=Now(), help_text="When a worker last said that it is at work.")
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
    """When a task of the schedule last ran through. It is the installation's, and of no workspace."""

    task = models.CharField(max_length=100, primary_key=True)
    ended_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.task
