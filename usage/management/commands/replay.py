import argparse
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from billing.models import Invoice
from billing.storage import timeouts
from billing.tenancy import Across, across
from usage.management.reporting import ReportingCommand, workspace_called
from usage.replay import UnableToReplay, replay


class Command(ReportingCommand):
    help = "Recompute issued invoices from the ledger and compare them with the issued documents, to the byte."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("invoice", nargs="*", help="number, such as INV-000001")
        parser.add_argument("--workspace", metavar="CODE", help="required if several workspaces have the number")
        parser.add_argument("--test", action="store_true", help="the workspace's test-mode twin")
        parser.add_argument("--all", action="store_true", help="all issued invoices")

    def handle(
        self,
        *,
        invoice: list[str],
        workspace: str | None,
        test: bool,
        all: bool,
        **_: Any,  # noqa: A002
    ) -> None:
        if not invoice and not all:
            raise CommandError("Give an invoice or --all.")
        if invoice and all:
            raise CommandError("Give either invoices or --all, not both.")
        issued = Invoice.objects.filter(
            state=Invoice.State.ISSUED, workspace__mode="test" if test else "live"
        ).select_related("workspace")
        if workspace is not None:
            issued = issued.filter(workspace=workspace_called(workspace, is_test=test))
        reach = nullcontext() if workspace is not None else across(Across.REPLAY)
        with timeouts.reading(settings.JOB_STATEMENT_SECONDS), reach:
            chosen = [*issued.order_by("pk")] if all else [self._find(issued, number) for number in invoice]
        if not chosen:
            self.say("Nothing to replay: no invoice was issued.")
        different = 0
        for one in chosen:
            try:
                with timeouts.reading(settings.JOB_STATEMENT_SECONDS):
                    result = replay(invoice=one)
            except UnableToReplay as error:
                different += 1
                self.say(f"{one}: {error}")
                continue
            if result.is_identical:
                self.say(f"{one}: identical ({one.document_sha256[:12]}).")
                continue
            different += 1
            self.say(f"{one}: DIFFERENT.")
            for difference in result.differences:
                self.say(f"  {difference.path}: issued {difference.issued!r}, computed {difference.computed!r}")
        if different:
            raise CommandError(f"{different} of {len(chosen)} invoices can't be reproduced.")

    def _find(self, issued: Any, number: str) -> Invoice:
        found = list(issued.filter(number=number)[:2])
        if not found:
            raise CommandError(f"There is no issued invoice {number!r}.")
        if len(found) > 1:
            raise CommandError(f"Several workspaces have an invoice {number!r}: choose one with --workspace.")
        return found[0]
