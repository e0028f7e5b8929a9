from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from billing.storage import timeouts
from usage.management.reporting import ReportingCommand


class Command(ReportingCommand):
    help = "Make REQUEST_STATEMENT_SECONDS the database role's default: after so long it stops a statement."

    def handle(self, **_: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("SQLite has no limit for statements.")
        self.say(f"{timeouts.set_role_default()};")
        self.say("It holds for sessions that begin from now on: a pooler's may live on for a while.")
