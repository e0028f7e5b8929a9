"""Tables about users, beside Django's own. Written by ``billing.people`` only."""

from django.conf import settings
from django.db import models

from billing.models.parties import Workspace


class SentForm(models.Model):
    """A form that was processed, and the URL of its result. Written in the transaction of the form.

    ``name`` is a digest of the user, the page and the form's one-time token: unique, so that a form that is sent twice
    is processed once. ``digest`` is a digest of the content, to detect other content under the same token; it is empty
    for forms that are older than this column.
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
    """The number of log-in attempts since ``since_at``, from one address or on an account.

    ``name`` is a keyed digest: users may enter a password as the username, and no table may store those.
    """

    name = models.CharField(primary_key=True, max_length=64)
    tries = models.PositiveIntegerField()
    since_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["since_at"], name="billing_login_tally_by_age"),)

    def __str__(self) -> str:
        return f"{self.tries} since {self.since_at:%Y-%m-%d %H:%M}"


class ShownWorkspace(models.Model):
    """The current workspace of a user of the panel: the one chosen last. Not a tenant's row."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    shown = models.ForeignKey(Workspace, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.user} sees {self.shown}"
