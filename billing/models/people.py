"""Tables about people beside Django's own. Written by ``billing.people`` only."""

from django.conf import settings
from django.db import models

from billing.models.parties import Workspace


class SentForm(models.Model):
    """A form that was done, and the page of its result. Written in the same transaction.

    ``name`` is a digest of the person, the page and the form's one-time token: unique, so that a form that is sent
    twice is done once. ``digest`` is one of the content, to detect other content under the same token; it is empty for
    forms from before it was kept.
    """

    name = models.CharField(primary_key=True, max_length=64)
    digest = models.CharField(max_length=64, blank=True, default="")
    url = models.TextField(blank=True)
    sent_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["sent_at"], name="billing_sent_form_by_age"),)

    def __str__(self) -> str:
        return f"{self.url} at {self.sent_at:%Y-%m-%d %H:%M}"


class LoginTally(models.Model):
    """The number of log-in attempts since ``since_at``, from one place or on an account.

    ``name`` is a keyed digest: people type passwords where a username belongs, and no table may keep those.
    """

    name = models.CharField(primary_key=True, max_length=64)
    tries = models.PositiveIntegerField()
    since_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["since_at"], name="billing_login_tally_by_age"),)

    def __str__(self) -> str:
        return f"{self.tries} since {self.since_at:%Y-%m-%d %H:%M}"


class ShownWorkspace(models.Model):
    """The workspace that the panel shows a person: the one that they chose last. Not a tenant's row."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    shown = models.ForeignKey(Workspace, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.user} sees {self.shown}"
