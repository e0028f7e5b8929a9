import argparse
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from billing import actors, figures
from billing.calendar import CalendarOutOfRange, end_of
from billing.models import CloseRun
from billing.money import format_money
from usage import closing
from usage.closing import Closed
from usage.management.reporting import ReportingCommand, workspace_called
from usage.tasks import enqueue

# Exit statuses for timers. 1 and 2 are Django's: the command failed, and its arguments are invalid.
LEFT_TO_A_PERSON = 3
STILL_AT_WORK = 4
MOST_TOLD = 1000


class Command(ReportingCommand):
    help = (
        "Close a workspace's periods that end on or before DATE: compute drafts, and issue them with --issue."
        " Unfinished earlier runs are finished first. Exit status: 0 everything is done, or there"
        f" was nothing to do; {LEFT_TO_A_PERSON} something is parked or waits for a person;"
        f" {STILL_AT_WORK} other workers are still processing it; 1 the command failed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="CODE")
        parser.add_argument("--until", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--test", action="store_true", help="the workspace's test-mode twin")
        parser.add_argument("--issue", action="store_true", help="issue the drafts without a review")
        parser.add_argument("--queue", action="store_true", help="let the workers do it")

    def handle(self, *, workspace: str, until: date, test: bool, issue: bool, queue: bool, **_: Any) -> None:
        owner = workspace_called(workspace, is_test=test)
        try:
            until_at = end_of(until, tz=owner.tz)
        except CalendarOutOfRange as error:
            raise CommandError(str(error)) from error
        asked: dict[str, Any] = {
            "workspace": owner,
            "until_at": until_at,
            "actor": actors.command("close"),
            "issues_itself": issue,
        }
        if queue:
            self._hand_over(closing.close_by_workers(**asked, as_of=timezone.now()))
        else:
            self._report(closing.close_now(**asked, clock=timezone.now))

    def _hand_over(self, closed: Closed) -> None:
        for run in closed.runs:
            enqueue(run)
            self.say(f"{run} is queued for the workers.")
        self._say_what_is_left(closed)
        if any(run.state == CloseRun.State.REVIEW for run in closed.left_to):
            raise CommandError("Drafts wait for a person.", returncode=LEFT_TO_A_PERSON)
        if closed.left_to:
            raise CommandError(
                "An earlier run has to finish first: repeat the command later.", returncode=STILL_AT_WORK
            )

    def _report(self, closed: Closed) -> None:
        for run in closed.runs:
            self.say(f"{run}: {run.get_state_display().lower()}.")
            if run.problem:
                self.say(f"  failed: {run.problem}")
            for invoice in run.invoices.select_related("customer").defer("document").order_by("id"):
                amount = format_money(invoice.total, currency=invoice.currency)
                self.say(f"  {invoice}  {invoice.customer}  {amount} {invoice.currency}")
            for told in closing.notices_of_run(run, most=MOST_TOLD):
                span = figures.days(told.starts_at, told.ends_at, run.workspace.tz)
                for surprise in told.surprises:
                    self.say(f"  to review: {told.description} of {told.subscription.customer}, {span}: {surprise}")
            for item in closing.parked_in((run,)):
                self.say(f"  parked: subscription {item.subscription_id}: {item.reason}")
        self._say_what_is_left(closed)
        if closed.waits_for_a_person:
            raise CommandError("Something is parked or waits for a person.", returncode=LEFT_TO_A_PERSON)
        if closed.is_at_work:
            raise CommandError("Other workers are still processing it.", returncode=STILL_AT_WORK)

    def _say_what_is_left(self, closed: Closed) -> None:
        for run in closed.left_to:
            self.say(f"{run}: {run.get_state_display().lower()}, started by {run.started_by}; it has to finish first.")
        for run in closed.drafted_in:
            state = run.get_state_display().lower()
            self.say(f"Nothing to close: the periods that have ended by then are in {run} ({state}).")
        if not closed.runs and not closed.left_to and not closed.drafted_in:
            self.say("Nothing to close: no open period has ended by then.")
