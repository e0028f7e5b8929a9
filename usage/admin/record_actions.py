"""The panel's actions on usage: add, correct, retract."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from unfold.enums import ActionVariant

from billing import figures
from billing.admin.actions import Action, Reply, RowAction
from billing.entry.moments import spell_moment
from billing.entry.numbers import spell_number
from billing.models import Customer, Workspace
from usage import ledger
from usage.admin.chains import newest_of, open_from
from usage.admin.record_forms import CorrectionForm, EntryForm, EventCorrectionForm, ReasonForm
from usage.commands import CorrectUsage, LineByNumber, Origin, RecordById, RecordUsage, RetractUsage
from usage.models import UsageRecord

LATE = " It is late: its period is closed, so the next close bills the difference."
FormT = TypeVar("FormT", bound=ReasonForm)


@contextmanager
def refusals_on_fields(workspace: Workspace) -> Iterator[None]:
    """Turn refusals of the ledger into a ``ValidationError`` of the form's fields, in the workspace's formats."""
    try:
        yield
    except ledger.LimitReached as error:
        told = error.told(partial(spell_number, style=workspace.formats.numbers))
        raise ValidationError({error.field: told}) from error
    except ledger.OutsideLine as error:
        raise ValidationError({error.field: error.told(figures.local)}) from error
    except ledger.UnableToRecord as error:
        raise ValidationError({error.field or "__all__": error.message}) from error


class _Recording(Action[Any, Any]):
    """Base of the actions that write to the ledger."""

    @property
    def origin(self) -> Origin:
        return Origin(workspace_id=self.row.workspace_id, source="panel", dialect="panel", recorded_by=self.actor.label)


class AddUsage(_Recording):
    """Action that adds usage of a customer, who was chosen on the previous page."""

    row: Customer
    submit = "Add usage"
    template = "panel/pages/add_usage.html"

    def title(self) -> str:
        return f"Add usage of {self.row}"

    def page_row(self) -> None:
        return None

    def context(self) -> Mapping[str, Any]:
        return {"customer": self.row}

    def form(self) -> EntryForm:
        return EntryForm(self.posted, customer=self.row, as_of=self.now)

    def perform(self, form: EntryForm) -> Reply:
        data = form.cleaned_data
        command = RecordUsage(
            origin=self.origin,
            address=LineByNumber(data["line"].number),
            quantity=data["quantity"],
            occurred_at=data["occurred_at"],
            key=data["key"],
            note=data["note"],
        )
        try:
            with refusals_on_fields(self.row.workspace):
                recorded = ledger.record(command=command, recorded_at=self.now)
        except ValidationError as error:
            if not isinstance(error.__cause__, ledger.DuplicateKey):
                raise
            record = UsageRecord(pk=error.__cause__.record_id)
            return Reply(record, "This was already recorded: it is shown here.", level=messages.INFO)
        return Reply(UsageRecord(pk=recorded.id), "The usage was recorded." + LATE * recorded.is_late)


class _Change(_Recording, RowAction[UsageRecord, Any]):
    """Base of the actions that supersede a record. The page reports if it was superseded meanwhile."""

    right = "usage.change_usagerecord"
    template = "panel/pages/change_usage.html"
    row: UsageRecord

    @classmethod
    def is_offered(cls, row: UsageRecord) -> bool:
        return row.is_live

    def title(self) -> str:
        return f"{self.label} record {self.row.pk}"

    @cached_property
    def newest(self) -> UsageRecord | None:
        """Return the record that superseded this one; None if there is none."""
        return None if self.row.is_live else newest_of(self.row)

    def context(self) -> Mapping[str, Any]:
        is_closed = self.row.is_late or ledger.is_late(self.row.occurred_at, open_from_at=open_from(self.row))
        return {"newest": self.newest, "is_closed": is_closed}

    def answer(self) -> HttpResponse:
        if self.newest is not None and self.request.method != "POST":
            messages.warning(self.request, self.refusal(self.newest))
            return self.panel.go_to(self.newest)
        return super().answer()

    def refused_if_stale(self, form: FormT) -> FormT:
        if self.newest is not None:
            form.refusal = ValidationError(self.refusal(self.newest))
        return form

    def refusal(self, newest: UsageRecord) -> str:
        return f"Nothing was recorded: meanwhile {what_became_of(newest)}."


class CorrectRecord(_Change):
    name, label, icon, variant = "correct", "Correct", "edit", ActionVariant.PRIMARY
    submit = "Correct"

    def form(self) -> CorrectionForm:
        form_class = CorrectionForm if self.row.line_id else EventCorrectionForm
        return self.refused_if_stale(form_class(self.posted, record=self.row, as_of=self.now))

    def perform(self, form: CorrectionForm) -> Reply:
        changed = {name: form.cleaned_data[name] for name in form.changed_data if name != "note"}
        command = CorrectUsage(
            origin=self.origin, target=RecordById(self.row.pk), note=form.cleaned_data["note"], **changed
        )
        correct = ledger.correct if self.row.line_id else ledger.correct_event
        with refusals_on_fields(self.row.workspace):
            change = correct(command=command, recorded_at=self.now)
        return Reply(UsageRecord(pk=change.id), "The correction was recorded. It counts from now on.")


class RetractRecord(_Change):
    name, label, icon = "retract", "Retract", "undo"
    submit, is_dangerous = "Retract", True

    def form(self) -> ReasonForm:
        return self.refused_if_stale(ReasonForm(self.posted))

    def perform(self, form: ReasonForm) -> Reply:
        command = RetractUsage(origin=self.origin, target=RecordById(self.row.pk), note=form.cleaned_data["note"])
        retract = ledger.retract if self.row.line_id else ledger.retract_event
        with refusals_on_fields(self.row.workspace):
            change = retract(command=command, recorded_at=self.now)
        return Reply(UsageRecord(pk=change.id), "The usage was retracted. It no longer counts.")


def what_became_of(newest: UsageRecord) -> str:
    """Describe the last change of a record: who made it, and the new values."""
    if newest.kind == UsageRecord.Kind.RETRACTION:
        return f"{newest.recorded_by} has retracted it"
    formats = newest.workspace.formats
    quantity = "" if newest.quantity is None else f"{spell_number(newest.quantity, formats.numbers)}, "
    return f"{newest.recorded_by} has changed it to {quantity}{spell_moment(newest.occurred_at, formats.tz)}"
