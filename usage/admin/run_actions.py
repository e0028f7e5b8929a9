"""The panel's actions on close runs: start, issue, discard."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from unfold.enums import ActionVariant

from billing import figures, invoicing
from billing.admin.actions import Action, Confirmation, Reply
from billing.admin.entry_fields import DayField
from billing.admin.panel_forms import PanelForm
from billing.calendar import end_of
from billing.close_states import APPROVE, DISCARD
from billing.entry import Formats
from billing.entry.moments import spell_day
from billing.models import CloseRun, Workspace
from usage import closing, tasks


class CloseForm(PanelForm):
    last_day = DayField(
        label="Last day",
        help_text="Closes every period that ends by this day, which must be over in the workspace's time zone.",
    )

    def __init__(self, *args: Any, formats: Formats, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read_as(formats)


class ClosePeriods(Action[None, CloseForm]):
    submit = "Compute drafts"

    def title(self) -> str:
        return f"Close periods of {self.workspace}"

    def intro(self) -> str:
        return "Drafts are computed for review. Nothing is issued yet."

    def form(self) -> CloseForm:
        today = self.now.astimezone(self.workspace.tz).date()
        last_month = today.replace(day=1) - timedelta(days=1)
        return CloseForm(self.posted, initial={"last_day": last_month}, formats=self.workspace.formats)

    def perform(self, form: CloseForm) -> Reply:
        workspace, day = self.workspace, form.cleaned_data["last_day"]
        until_at = _end_of_day_that_is_over(day, workspace.tz, self.now)
        try:
            run = closing.start(workspace=workspace, until_at=until_at, actor=self.actor, as_of=self.now)
        except closing.NothingToClose as error:
            raise ValidationError({"last_day": _nothing_to_close(error, workspace, until_at)}) from error
        tasks.enqueue(run)
        others = [other for other in closing.left_to(workspace=workspace, until_at=run.until_at) if other != run]
        names = ", ".join(map(str, others))
        warning = f"Subscriptions that are in {names} are skipped: close again after that." if others else ""
        return Reply(run, warning=warning, log=f"Periods up to {spell_day(day)}.", is_added=True)


class IssueAll(Confirmation[CloseRun]):
    name, label, icon, variant = "issue_all", "Issue all", "send", ActionVariant.PRIMARY
    right = "billing.change_closerun"
    submit = "Issue all"

    @classmethod
    def is_possible(cls, row: CloseRun) -> bool:
        return APPROVE.is_allowed_from(row.state)

    def title(self) -> str:
        count = self.row.invoices.count()
        return f"Issue {figures.count(count, self.row.workspace.formats.numbers)} invoice{'' if count == 1 else 's'}?"

    def intro(self) -> str:
        return "Each gets its number and a document, and can't be changed afterwards."

    def perform(self, form: PanelForm) -> Reply:
        try:
            invoicing.approve(run=self.row, actor=self.actor, as_of=self.now)
        except invoicing.UnableToIssue as error:
            return Reply(self.row, str(error), level=messages.ERROR)
        tasks.enqueue(self.row)
        return Reply(self.row, "The invoices are being issued.", log="Issued.")


class DiscardRun(Confirmation[CloseRun]):
    name, label, icon = "discard", "Discard", "delete"
    right = "billing.change_closerun"
    submit, is_dangerous = "Discard", True

    @classmethod
    def is_possible(cls, row: CloseRun) -> bool:
        return DISCARD.is_allowed_from(row.state)

    def title(self) -> str:
        return f"Discard {self.row}?"

    def intro(self) -> str:
        return "Its drafts are deleted and its periods are open again. The next close computes them anew."

    def perform(self, form: PanelForm) -> Reply:
        try:
            invoicing.discard(run=self.row, actor=self.actor, as_of=self.now)
        except invoicing.UnableToDiscard as error:
            return Reply(self.row, str(error), level=messages.ERROR)
        return Reply(self.row, "The drafts were discarded: the periods are open again.", log="Discarded.")


def _end_of_day_that_is_over(day: date, tz: ZoneInfo, now: datetime) -> datetime:
    until_at = end_of(day, tz=tz)
    if until_at > now:
        last = figures.last_whole_day(now, tz)
        reason = f"{figures.last_day(until_at, tz)} is not over: the last whole day is {last}."
        raise ValidationError({"last_day": reason})
    return until_at


def _nothing_to_close(error: closing.NothingToClose, workspace: Workspace, until_at: datetime) -> str:
    if error.left_to:
        day = figures.last_day(until_at, workspace.tz)
        return f"Nothing to close: the periods of {workspace} that end by {day} are in {error.named}."
    return f"Nothing to close: no open period of {workspace} ends by this day."
