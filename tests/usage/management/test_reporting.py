"""Whatever becomes of what a command says, its exit status tells what was done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from usage.management.reporting import ReportingCommand

ROOT = Path(__file__).resolve().parents[3]
SAYING = """
import logging
import sys
import django
django.setup()
from django.core.management.base import CommandError
from usage.management.reporting import ReportingCommand

class Command(ReportingCommand):
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("lines", type=int)
        parser.add_argument("status", type=int)

    def handle(self, *, lines, status, **_):
        for number in range(lines):
            self.say(f"line {number}")
        logging.getLogger("usage").warning("said by others")
        if status:
            raise CommandError("Not all was done.", returncode=status)

Command().run_from_argv(["manage.py", "saying", *sys.argv[1:]])
"""
REDIRECTED = {
    "full": "exec > /dev/full 2> /dev/full",
    "closed": "exec >&- 2>&-",
    "report alone is full": "exec > /dev/full",
}


@pytest.mark.once
# What is left in a buffer fails when the interpreter ends, what is too much for one before.
@pytest.mark.parametrize(("lines", "status"), [(1, 0), (10_000, 3)])
@pytest.mark.parametrize("output", [*REDIRECTED, "reader is gone"])
def test_output_that_can_not_be_written_changes_no_exit_status(output, lines, status, tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "ARREARS_VAR": str(tmp_path)}
    redirection = REDIRECTED.get(output, "true")
    command = ["sh", "-c", f'{redirection}; exec "$@"', "sh", sys.executable, "-c", SAYING, str(lines), str(status)]
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, cwd=ROOT)

    os.close(writer)
    assert ended.returncode == status
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr


class Saying(ReportingCommand):
    requires_system_checks = ()

    def handle(self, **_):
        self.say("first")
        self.say("second")
        raise CommandError("Not all was done.", returncode=3)


def test_a_report_is_left_out_from_where_it_can_not_be_written():
    with open("/dev/full", "w") as full, pytest.raises(CommandError, match="Not all was done"):
        call_command(Saying(), stdout=full)
