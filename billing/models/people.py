"""What is kept of people beside Django's own tables. Written by ``billing.people`` only."""

from django.db import models


class LoginTally(models.Model):
    """How often a log-in was tried since ``since_at``, by one place or in all.

    ``name`` is a keyed digest: people type passwords where a username belongs, and no table may keep those.
    """

    name = models.CharField(primary_key=True, max_length=64)
    tries = models.PositiveIntegerField()
    since_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["since_at"], name="billing_login_tally_by_age"),)

    def __str__(self) -> str:
        return f"{self.tries} since {self.since_at:%Y-%m-%d %H:%M}"
