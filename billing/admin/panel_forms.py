"""Forms of the panel: they parse entries in the workspace's formats, and ask to confirm unlikely ones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from billing import figures
from billing.admin.entry_fields import EntryField
from billing.admin.picking import PickField
from billing.admin.seen import SeenForm
from billing.entry import Formats
from billing.localmoment import LocalMoment
from billing.models import Workspace

CONFIRMED = "once_more"
READ_AS = "read_as"
READINGS = "; "


@dataclass(frozen=True, slots=True)
class Question:
    """A request to confirm an entry: its field and the reason. The confirmation is valid only for the same entries.

    It is valid only for the same reason or, if the text of the reason varies, for the same ``decided``.
    """

    name: str
    reason: str
    decided: tuple[object, ...] = ()
    answer: str = ""


def add_errors(form: forms.BaseForm, error: ValidationError, names: Mapping[str, str]) -> None:
    """Show an error of the domain at the form's fields, with moments in the panel's format."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, _spelled(error.error_list))
        return
    for field, problems in error.error_dict.items():
        name = names.get(field, field)
        form.add_error(name if name in form.fields and name != NON_FIELD_ERRORS else None, _spelled(problems))


def _spelled(problems: list[ValidationError]) -> ValidationError:
    return ValidationError([ValidationError(one.message, one.code, _as_written(one.params)) for one in problems])


def _as_written(params: dict[str, Any] | None) -> dict[str, Any] | None:
    return params and {
        name: figures.local(value) if isinstance(value, LocalMoment) else value for name, value in params.items()
    }


class AskingForm(SeenForm):
    """A form whose entries are parsed in a workspace's formats, and that is valid once its questions are confirmed.

    A question is confirmed by the value that the server derived for it. So one that was never shown can't be
    confirmed, and one about other values is asked again.
    """

    unanswered: tuple[Question, ...] = ()
    # The domain's refusal of this form, to be shown on it.
    refusal: ValidationError | None = None
    formats: Formats | None = None
    # The workspace in which rows are picked or created.
    workspace: Workspace | None = None

    @property
    def reading(self) -> str | None:
        """Return examples of the formats of entries; empty while the formats are unknown, None without entry fields."""
        parts = {part for field in self.fields.values() if isinstance(field, EntryField) for part in field.read_by}
        if not parts:
            return None
        examples = {} if self.formats is None else self.formats.examples()
        return READINGS.join(text for part, text in examples.items() if part in parts)

    def read_as(self, formats: Formats | None) -> None:
        """Parse all entry fields in a workspace's formats; without formats they refuse any input."""
        self.formats = formats
        for field in self.fields.values():
            if isinstance(field, EntryField):
                field.formats = formats
                if hasattr(field.widget, "formats"):
                    field.widget.formats = formats

    def pick(self, name: str, rows: QuerySet[Any] | None = None) -> Any:
        """Restrict a pick field to ``rows``, and return the row that it is set to, or None if it is not one of them.

        ``rows`` defaults to the rows of the form's workspace.
        """
        field = self.fields[name]
        assert isinstance(field, PickField)
        if rows is None:
            assert self.workspace is not None
            of_model = field.model._default_manager.select_related("workspace")
            rows = of_model.filter(workspace_id=self.workspace.pk)
        return field.narrow(self[name].value(), rows)

    def chosen(self, name: str) -> Any:
        """Return the row that a choice field is set to, or None."""
        try:
            return self.fields[name].clean(self[name].value())
        except ValidationError:
            return None

    def questions(self) -> Iterable[Question]:
        """Yield the questions about entries that are valid and unlikely; called once all fields are valid."""
        return ()

    def remark(self, name: str, value: Any) -> str:
        """Return a remark on a value, shown beside its echo: “open period”."""
        return ""

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and self.refusal is not None:
            add_errors(self, self.refusal, {})
        if self.is_bound:
            self._refuse_other_reading()
        if not self.is_bound or self.errors:
            return
        given = self._confirmations()
        asked = [replace(one, answer=self._answer(one)) for one in self.questions()]
        self.unanswered = tuple(
            one for one in asked if not any(constant_time_compare(one.answer, answer) for answer in given)
        )
        for one in self.unanswered:
            self.add_error(one.name, ValidationError(f"{one.reason} Is this meant?", code=CONFIRMED))

    def _refuse_other_reading(self) -> None:
        """Refuse entries that are now parsed differently than when the page was shown."""
        shown, now = self.data.get(self.add_prefix(READ_AS)), self.reading
        if not shown or not now or shown == now:
            return
        pairs = zip_longest(shown.split(READINGS), now.split(READINGS), fillvalue="")
        was, is_now = (", ".join(texts) for texts in zip(*(pair for pair in pairs if pair[0] != pair[1]), strict=True))
        reason = f"the format of entries was {was} and is {is_now} now"
        self.add_error(None, ValidationError(f"Nothing was saved: {reason}. Check and save again.", code=READ_AS))

    def understood(self) -> list[tuple[str, str]]:
        """Return the label of each entry field and how its entry was parsed."""
        return [(str(self[name].label), echo["text"]) for name, echo in self._echoes() if echo["is_read"]]

    def echoes(self) -> dict[str, dict[str, Any]]:
        """Return how each entry was parsed, or why it could not be, by the field's name in the page."""
        return {self.add_prefix(name): echo for name, echo in self._echoes()}

    def _echoes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, field in self.fields.items():
            if not isinstance(field, EntryField):
                continue
            value = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
            if not any(value) if isinstance(value, list) else not str(value or "").strip():
                continue
            try:
                read = field.clean(value)
            except ValidationError as error:
                yield name, {"is_read": False, "text": " ".join(error.messages)}
                continue
            said = ", ".join(filter(None, [field.spell(read), self.remark(name, read)]))
            yield name, {"is_read": True, "text": said}

    def _confirmations(self) -> list[str]:
        return cast(Any, self.data).getlist(CONFIRMED) if hasattr(self.data, "getlist") else []

    def _answer(self, question: Question) -> str:
        choices = [name for name, field in self.fields.items() if isinstance(field, forms.ModelChoiceField)]
        values = [getattr(value, "pk", value) for value in map(self.cleaned_data.get, [question.name, *choices])]
        about = question.decided or (question.reason,)
        said = "\n".join([f"{type(self).__module__}.{type(self).__qualname__}", *map(str, about), *map(str, values)])
        return salted_hmac("billing.admin.once-more", said, algorithm="sha256").hexdigest()


class PanelForm(AskingForm, forms.Form):
    pass
