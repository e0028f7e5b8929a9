import argparse
import json
import os
import shlex
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from usage import demo, server_address
from usage.management.reporting import ReportingCommand


class Command(ReportingCommand):
    help = "Create the demo workspace if it does not exist, and show how to use it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="for scripts: the URL, and headers and ids per dialect")
        parser.add_argument(
            "--in-production", action="store_true", help="even if DATABASE_URL is set: creates a superuser"
        )
        form.add_argument("--shell", action="store_true", help="for a shell's eval: the same as variables")

    def handle(self, *, json: bool, shell: bool, in_production: bool, **_: Any) -> None:
        if not settings.EMBEDDED and not in_production:
            raise CommandError(
                "DATABASE_URL is set: a demo in a production database creates a superuser and shows the password."
                " Add --in-production if you mean it."
            )
        demo.load(as_of=timezone.now())
        facts = {"base": _base(), **demo.facts()}
        if json:
            self.stdout.write(_as_json(facts))
            return
        if shell:
            self.stdout.write(_as_variables(facts))
            return
        self.say(f"The workspace {facts['workspace']} exists. Log in at {facts['base']}{facts['admin']} as")
        for login in facts["logins"]:
            self.say(f"  {login['username']} / {login['password']}  ({login['role']})")


def _base() -> str:
    """Return the server's URL: by PORT if it is set, else of the running server, else of the default port."""
    published = None if os.environ.get("PORT") else server_address.address_in(settings.VAR)
    return published or server_address.origin(
        host=os.environ.get("HOST") or "127.0.0.1", port=os.environ.get("PORT") or "8000"
    )


def _as_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2)


def _as_variables(facts: dict[str, Any]) -> str:
    piriod, salesbricks = facts["dialects"]["piriod"], facts["dialects"]["salesbricks_v2"]
    variables = {
        "BASE": facts["base"],
        "KEY": salesbricks["headers"]["X-SALESBRICKS-KEY"],
        "LINE": piriod["subscription_line"],
        "SUBSCRIPTION": salesbricks["subscription_id"],
        "BRICK": salesbricks["counter_brick_id"],
        "ITEM": facts["dialects"]["rebilly"]["subscription_id"],
        "ALIAS": facts["dialects"]["sequence"]["customer_alias"],
    }
    return "\n".join(f"{name}={shlex.quote(str(value))}" for name, value in variables.items())
