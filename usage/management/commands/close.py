import argparse
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import invoicing
from billing.calendar import CalendarOutOfRange, end_of
from billing.models import CloseItem, CloseRun, Invoice, Workspace
from usage import closing
from usage.tasks import enqueue


class Command(BaseCommand):
    help = "Close a workspace's periods whose last day is DATE or before: compute drafts, and issue them with --issue."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="CODE")
        parser.add_argument("--until", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--test", action="store_true", help="the workspace's test-mode twin")
        parser.add_argument("--issue", action="store_true", help="issue the drafts without a review")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers")

    def handle(self, *, workspace: str, until: date, test: bool, issue: bool, queue: bool, **_: Any) -> None:
        if issue and queue:
            raise CommandError("--issue needs the drafts: leave out --queue.")
        mode = Workspace.Mode.TEST if test else Workspace.Mode.LIVE
        owner = Workspace.objects.filter(code=workspace, mode=mode).first()
        if owner is None:
            raise CommandError(f"There is no workspace {workspace!r} in {mode} mode.")
        try:
            until_at = end_of(until, tz=owner.tz)
            run = closing.start(workspace=owner, until_at=until_at, by="command line", as_of=timezone.now())
        except CalendarOutOfRange as error:
            raise CommandError(str(error)) from error
        except closing.NothingToClose as nothing:
            self.stdout.write(str(nothing))
            return
        if queue:
            enqueue(run)
            self.stdout.write(f"{run} is with the workers.")
            return
        run = closing.work(run_id=run.pk, clock=timezone.now)
        if issue:
            invoicing.approve(run=run, by="command line", as_of=timezone.now())
            run = closing.work(run_id=run.pk, clock=timezone.now)
        self._report(run)

    def _report(self, run: CloseRun) -> None:
        self.stdout.write(f"{run}: {run.get_state_display().lower()}.")
        for invoice in Invoice.objects.filter(run=run).select_related("customer").order_by("id"):
            self.stdout.write(f"  {invoice}  {invoice.customer}  {invoice.total:.2f} {invoice.currency}")
        for item in run.items.filter(state=CloseItem.State.PARKED).order_by("id"):
            self.stdout.write(f"  parked: subscription {item.subscription_id}: {item.reason}")
