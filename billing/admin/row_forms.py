"""Forms of rows: checks of uniqueness within a workspace, and fields of columns that are entered as numbers."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Field, IntegerField

from billing import figures, names
from billing.admin.entry_fields import NumberField, WholeNumberField
from billing.admin.panel_forms import AskingForm
from billing.entry import Formats
from billing.models import IdentifierFormField, Name
from billing.storage.exact import ExactDecimalField


class WholeModelForm(AskingForm, forms.ModelForm):
    """A form of a row that checks uniqueness within the workspace, although the workspace is not one of its fields.

    A new row belongs to the current workspace.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.workspace is not None and self.instance._state.adding:
            self.instance.workspace = self.workspace
        self.read_as(self.formats_of_row())
        for name, field in self.fields.items():
            known = self.get_initial_for_field(field, name)
            if isinstance(field, IdentifierFormField) and isinstance(known, str) and known != known.strip():
                field.help_text = f"{field.help_text} It has leading or trailing blanks: “{figures.identifier(known)}”."
        if given := self.fields.get("id"):
            given.label = "ID"
            given.help_text = "Change it only to adopt an id that clients already use."

    def formats_of_row(self) -> Formats | None:
        """Return the formats of the row's workspace, or None if it has no workspace yet."""
        return self.instance.workspace.formats if self.instance.workspace_id else None

    def _get_validation_exclusions(self) -> set[str]:
        # Without a workspace, another field already has an error.
        known = {"workspace"} if getattr(self.instance, "workspace_id", None) else set()
        # Unchanged fields keep values that are older than a validation rule.
        as_before = set() if self.instance._state.adding else set(self.fields) - set(self.changed_data)
        return (super()._get_validation_exclusions() | as_before) - known  # type: ignore[misc]


def refuse_taken_names(form: forms.ModelForm, kind: Name.Kind) -> None:
    """Raise ``ValidationError`` naming the field with an id or a reference of another row of the workspace."""
    data = form.cleaned_data
    workspace_id = form.instance.workspace_id
    given = {str(data[name]): name for name in ("id", "reference") if name in form.changed_data and data.get(name)}
    if workspace_id and given:
        owner = str(data.get("id") or form.instance.pk)
        names.check(workspace_id=workspace_id, kind=kind, owner=owner, names=given)


def entry_field(column: Field) -> forms.Field | None:
    """Return the form field of a column whose values are entered as numbers, or None for other columns."""
    if isinstance(column, ExactDecimalField):
        return column.formfield(form_class=NumberField, min_value=Decimal(0))
    if isinstance(column, IntegerField):
        return column.formfield(form_class=WholeNumberField)
    return None
