"""Stored responses to requests with an idempotency key."""

from django.db import models

from billing.models import ApiKey, TenantModel, Workspace
from billing.storage.jsontext import ExactJSONField
from billing.tenancy.keys import TenantKey, WorkspaceKey


class StoredReply(TenantModel):
    """The response to a request with an idempotency key, for repeats. Written in the request's transaction."""

    workspace = WorkspaceKey(Workspace, models.PROTECT, related_name="+", db_index=False)
    api_key = TenantKey(ApiKey, models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(
        max_length=64, help_text="Fingerprint of the request, which has to be equal in repeats."
    )
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
