from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from billing.storage import timeouts
from usage.management.reporting import ReportingCommand


class Command(ReportingCommand):
    help = "Make REQUEST_STATEMENT_SECONDS the default statement timeout of the database role."

    def handle(self, **_: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("SQLite has no statement timeout.")
        self.say(f"{timeouts.set_role_default()};")
        self.say("It applies to new sessions: a pooler may keep old ones for a while.")
