"""Stored replies: what a request that is sent again gets."""

from django.db import models

from billing.models import ApiKey, TenantModel, Workspace
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import WorkspaceKey


class StoredReply(TenantModel):
    """What was answered to a request that carried an idempotency key: a repeat gets it again. Written with it."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="Of the request, as far as it has to be the same.")
    status = models.PositiveSmallIntegerField()
    headers = ExactJSONField(default=dict)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "stored replies"
        constraints = (
            models.UniqueConstraint(fields=["workspace", "api_key", "key"], name="usage_stored_reply_key_is_unique"),
        )
        indexes = (models.Index(fields=["created_at"], name="usage_stored_reply_oldest"),)

    def __str__(self) -> str:
        return self.key
