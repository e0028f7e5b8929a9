"""The panel's actions on a subscription and its lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from unfold.enums import ActionVariant

from billing import contracts, figures
from billing.admin.actions import Action, Confirmation, Reply, RowAction
from billing.admin.changes import told_limits
from billing.admin.subscription_forms import EndForm, LimitsForm, NewLineForm, NewSubscriptionForm, limits_in, limits_of
from billing.calendar import midnight
from billing.models import Line, Subscription

# The forms ask for days, the domain takes moments.
NAMES = {"starts_at": "starts_on", "ends_at": "ends_on", "brick": "price"}
MOST_NAMED = 10


class AddSubscription(Action[None, NewSubscriptionForm]):
    submit = "Add subscription"
    names = NAMES

    def title(self) -> str:
        return f"Add a subscription in {self.workspace}"

    def form(self) -> NewSubscriptionForm:
        initial = {"customer": self.request.GET.get("customer")}
        return NewSubscriptionForm(self.posted, initial=initial, workspace=self.workspace, as_of=self.now)

    def perform(self, form: NewSubscriptionForm) -> Reply:
        data, tz = form.cleaned_data, self.workspace.tz
        subscription = contracts.create_subscription(
            customer=data["customer"],
            starts_at=midnight(data["starts_on"], tz=tz),
            ends_at=figures.end_of(data["ends_on"], tz),
            anchor_on=data["anchor_on"] or data["starts_on"],
            interval=data["interval"],
            currency=data["currency"] or None,
            reference=data["reference"] or None,
            id=data["id"],
            actor=self.actor,
        )
        message = f"{subscription.customer} has a new subscription: add its lines."
        return Reply(subscription, message, log="Agreed.", is_added=True)


class AddLine(RowAction[Subscription, NewLineForm]):
    name, label, icon, variant = "add_line", "Add line", "add", ActionVariant.PRIMARY
    right = "billing.add_line"
    submit = "Add line"
    names = NAMES

    @classmethod
    def is_possible(cls, row: Subscription) -> bool:
        return row.next_close_at is not None

    def title(self) -> str:
        return f"Add a line for {self.row.customer}"

    def intro(self) -> str:
        tz = self.row.workspace.tz
        first = max(self.row.open_from_at, self.row.starts_at)
        return f"Days are in the time zone {tz.key}. The earliest first day is {figures.day(first, tz)}."

    def form(self) -> NewLineForm:
        return NewLineForm(self.posted, subscription=self.row, actor=self.actor, as_of=self.now)

    def perform(self, form: NewLineForm) -> Reply:
        line = contracts.add_line(subscription=self.row, **vars(form.terms()), actor=self.actor)
        message = f"{line.brick} is line {line.number} of the subscription."
        return Reply(self.row, message, log=f"Added {line}: {line.brick} at {line.price}.")


class _End(RowAction[Any, EndForm]):
    """Base of the actions that end a subscription or a line on a given day."""

    submit = "End"
    names = NAMES

    def intro(self) -> str:
        zone = self.row.workspace.time_zone
        return f"Usage counts until the end of the last day in {zone}; a flat price is prorated by days."

    def form(self) -> EndForm:
        workspace = self.row.workspace
        today = self.now.astimezone(workspace.tz).date()
        form = EndForm(self.posted, initial={"ends_on": today}, formats=workspace.formats, as_of=self.now)
        form.watched = {"Last day": figures.last_day(self.row.ends_at, workspace.tz)}
        return form

    def new_end(self, form: EndForm) -> datetime | None:
        return figures.end_of(form.cleaned_data["ends_on"], self.row.workspace.tz)


class EndSubscription(_End):
    name, label, icon = "end", "End", "event_busy"
    right = "billing.change_subscription"

    @classmethod
    def is_possible(cls, row: Subscription) -> bool:
        return row.next_close_at is not None

    def title(self) -> str:
        return f"End the subscription of {self.row.customer}"

    def perform(self, form: EndForm) -> Reply:
        former, tz = self.row, self.row.workspace.tz
        ended = contracts.end_subscription(
            subscription=former, ends_at=self.new_end(form), as_of=self.now, actor=self.actor
        )
        stay = contracts.staying_ended(subscription=ended, former_end=former.ends_at)
        warning = f"These lines had ended before and stay ended: {_listed(stay, tz)}." if stay else ""
        message = f"The subscription {_new_end_in_words(ended, tz)}."
        return Reply(ended, message, warning=warning, log=message)


class VoidSubscription(Confirmation[Subscription]):
    name, label, icon = "void", "Void", "delete"
    right = "billing.change_subscription"
    submit, is_dangerous = "Void", True

    @classmethod
    def is_possible(cls, row: Subscription) -> bool:
        return row.next_close_at is not None and row.open_from_at == row.starts_at

    def title(self) -> str:
        return f"Void the subscription of {self.row.customer}?"

    def intro(self) -> str:
        return (
            "For a subscription that was created by mistake: nothing of it or its lines is billed, and its references "
            "can be used again. This can't be undone."
        )

    def perform(self, form: Any) -> Reply:
        voided = contracts.end_subscription(
            subscription=self.row, ends_at=self.row.starts_at, as_of=self.now, actor=self.actor
        )
        return Reply(voided, "The subscription was voided: nothing of it is billed.", log="Voided.")


class EndLine(_End):
    def page_row(self) -> Subscription:
        return self.row.subscription

    def title(self) -> str:
        return f"End {self.row.brick}"

    def perform(self, form: EndForm) -> Reply:
        line, tz = self.row, self.row.workspace.tz
        ended = contracts.end_line(line=line, ends_at=self.new_end(form), as_of=self.now, actor=self.actor)
        change = _new_end_in_words(ended, tz)
        return Reply(line.subscription, f"{line.brick} {change}.", log=f"{line} {change}.")


class SetLimits(Action[Line, LimitsForm]):
    submit = "Save limits"

    def page_row(self) -> Subscription:
        return self.row.subscription

    def title(self) -> str:
        return f"Limits of {self.row.brick}"

    def intro(self) -> str:
        return "The limits apply to each billing period. Recorded usage stays and is billed, whatever the limit."

    def form(self) -> LimitsForm:
        form = LimitsForm(self.posted, initial=limits_of(self.row))
        form.shows_former = True
        form.read_as(self.row.workspace.formats)
        return form

    def perform(self, form: LimitsForm) -> Reply:
        line = self.row
        # Untouched limits keep their current values.
        lines = Line.objects.select_for_update(of=("self",))
        now = lines.get(workspace_id=line.workspace_id, pk=line.pk)
        touched = {name: form.cleaned_data[name] for name in form.changed_data}
        contracts.set_limits(line=line, limits=limits_in({**limits_of(now), **touched}), actor=self.actor)
        message = f"{line.brick} has these limits from now on."
        return Reply(line.subscription, message, log=f"{line}: {told_limits(line, touched)}.")


def _new_end_in_words(ended: Subscription | Line, tz: ZoneInfo) -> str:
    if ended.is_voided:
        return "is voided: nothing of it is billed"
    return f"ends on {figures.last_day(ended.ends_at, tz)}" if ended.ends_at else "goes on without an end"


def _listed(lines: Sequence[Line], tz: ZoneInfo) -> str:
    """List lines with their last days: at most the first ten."""
    named = [f"{line} ({line.brick}, {figures.last_day(line.ends_at, tz)})" for line in lines[:MOST_NAMED]]
    more = len(lines) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
