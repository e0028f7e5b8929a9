"""Closed periods and the runs that closed them. Written by ``usage.closing``, ``billing.invoicing`` and
``billing.close_states`` only."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models.contracts import Subscription
from billing.models.parties import Workspace
from billing.models.tenants import TenantModel
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class CloseRun(TenantModel):
    """One closing of a workspace's periods that end by ``until_at``: a job stored as a row."""

    class State(models.TextChoices):
        COMPUTING = "computing", "Computing drafts"
        REVIEW = "review", "Drafts to review"
        ISSUING = "issuing", "Issuing"
        ISSUED = "issued", "Issued"
        DISCARDED = "discarded", "Discarded"

    ACTIVE = (State.COMPUTING, State.ISSUING)
    UNFINISHED = (State.COMPUTING, State.REVIEW, State.ISSUING)

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="close_runs", db_index=False)
    state = models.CharField(max_length=9, choices=State, default=State.COMPUTING)
    until_at = models.DateTimeField(help_text="Periods that end by this moment are closed.")
    issues_itself = models.BooleanField(default=False, help_text="Issues its drafts without review.")
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(help_text="The last heartbeat of a worker.")
    finished_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, help_text="Who issued or discarded it.")
    problem = models.TextField(
        blank=True, db_default="", default="", help_text="The error of the last attempt to continue."
    )

    class Meta:
        verbose_name = "close run"
        constraints = (
            models.CheckConstraint(
                condition=Q(problem="") | Q(state__in=["computing", "review", "issuing"]),
                name="billing_close_run_has_no_problem_once_it_is_over",
            ),
        )
        indexes = (
            models.Index(fields=["workspace", "-started_at"], name="billing_close_run_newest"),
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(state__in=["computing", "issuing"]) | Q(state="review", issues_itself=True),
                name="billing_close_run_at_work",
            ),
        )

    def __str__(self) -> str:
        return f"Close {self.pk}"


class CloseItem(TenantModel):
    """One subscription in a run."""

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        PARKED = "parked", "Parked"

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    run = TenantKey(CloseRun, models.CASCADE, related_name="items", db_index=False)
    subscription = TenantKey(Subscription, models.PROTECT, related_name="close_items")
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    reason = models.TextField(blank=True, help_text="Why it was parked.")
    is_passing = models.BooleanField(
        db_default=False,
        default=False,
        help_text="Parked for a temporary reason: an automatic run retries it.",
    )
    # Notices of differences of zero without an invoice: {line_id, description, starts_at, ends_at, surprises}.
    notices = ExactJSONField(db_default=[], default=list, help_text="Notices for a reviewer that are on no invoice.")
    # A subscription that is pending or drafted in one run is excluded from all others, until the drafts are issued or
    # discarded, or the subscription is parked. So two runs never wait for each other.
    holds_subscription = models.BooleanField(default=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["workspace", "subscription"],
                condition=Q(holds_subscription=True),
                name="billing_close_item_holds_its_subscription_alone",
            ),
            models.CheckConstraint(
                condition=Q(state="pending", holds_subscription=True)
                | Q(state="done")
                | Q(state="parked", holds_subscription=False),
                name="billing_close_item_holds_while_pending_not_when_parked",
            ),
            models.UniqueConstraint(fields=["workspace", "run", "subscription"], name="billing_close_item_is_unique"),
            models.CheckConstraint(
                condition=(Q(state="parked") & ~Q(reason="")) | (~Q(state="parked") & Q(reason="")),
                name="billing_close_item_is_parked_with_a_reason",
            ),
        )
        indexes = (models.Index(fields=["workspace", "run", "state", "id"], name="billing_close_item_by_state"),)

    def __str__(self) -> str:
        return f"{self.subscription_id} in {self.run_id}"


class BillingPeriod(TenantModel):
    """A closed period of a subscription: unique, whoever closes it, and deleted when its draft is discarded."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    subscription = TenantKey(Subscription, models.PROTECT, related_name="periods", db_index=False)
    run = TenantKey(CloseRun, models.PROTECT, related_name="periods")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["workspace", "subscription", "starts_at"],
                name="billing_period_of_a_subscription_is_unique",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="billing_period_ends_after_its_start"),
        )
        indexes = (models.Index(fields=["workspace", "subscription", "ends_at"], name="billing_period_by_end"),)

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"
