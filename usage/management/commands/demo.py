import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from usage import demo


class Command(BaseCommand):
    help = "Make the demo workspace if it is not there, and say how to use it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for scripts: headers and ids per dialect")

    def handle(self, *, json: bool, **_: Any) -> None:
        demo.load(as_of=timezone.now())
        facts = demo.facts()
        if json:
            self.stdout.write(_as_json(facts))
            return
        self.stdout.write(f"Workspace {facts['workspace']} is there. Log in at {facts['admin']} as")
        for login in facts["logins"]:
            self.stdout.write(f"  {login['username']} / {login['password']}  ({login['role']})")


def _as_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2)
