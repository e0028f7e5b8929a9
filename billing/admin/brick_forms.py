"""The form of a brick, with the rule of one that counts events."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from billing import catalog
from billing.admin.panel_forms import add_errors
from billing.admin.row_forms import WholeModelForm, refuse_taken_names
from billing.aggregations import OF_BRICKS, rule_choices
from billing.catalog import EventTerms
from billing.models import Brick, IdentifierFormField, Name

# Names of a rule's fields: the catalog's -> the form's.
NAMES = {
    "aggregation": "event_aggregation",
    "property": "event_property",
    "filters": "event_filters",
    "negated": "event_filters",
}
RULE_FIELDS = ("event_type", "event_aggregation", "event_property", "event_filters", "is_case_sensitive")

# A name or a value is written plain, or in quotes if it could be misread; a quote in quotes is doubled.
_QUOTED = r'"(?P<quoted>(?:[^"]|"")*)"'
# Plain text is matched including trailing blanks: a pattern that excludes them backtracks at each blank.
_NAME = re.compile(rf'[^\S\n]*(?:{_QUOTED}[^\S\n]*(?P<negation>!?)|(?P<plain>[^\s="][^\n=]*))=')
_VALUE = re.compile(rf'[^\S\n]*(?:{_QUOTED}[^\S\n]*|(?P<plain>[^\s,"][^\n,]*))(?P<end>,|\n|\Z)')
_BLANKS = re.compile(r"\s*")
_PLAIN = re.compile(r"\A(?!\s)[^\"=,!\r\n]+(?<!\s)\Z")


def filters_as_text(filters: Mapping[str, Sequence[str]], negated: Iterable[str]) -> str:
    """Write filters as people type them, one a line: “type = text, fax” or “type != fax”."""
    lines = []
    for name, values in sorted(filters.items()):
        lines.append(f"{_written(name)} {'!=' if name in negated else '='} {', '.join(map(_written, values))}")
    return "\n".join(lines)


def filters_from_text(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """Read filters and the names of the negated ones; raise ``ValidationError`` for a line that is not a filter."""
    filters: dict[str, list[str]] = {}
    negated = []
    text = text.replace("\r\n", "\n").strip()
    place = 0
    while place < len(text):
        found = _NAME.match(text, place)
        values, end = _values(text, found.end()) if found else ([], place)
        if found is None or not values:
            line = text[place:].partition("\n")[0]
            raise ValidationError({"filters": f"“{line}” is not a filter, such as: type = text, fax"})
        name, is_negated = _read_name(found)
        if name in filters:
            raise ValidationError({"filters": f"“{name}” occurs twice: list all of its values in one line."})
        filters[name] = values
        if is_negated:
            negated.append(name)
        place = _after_blanks(text, end)
    return filters, negated


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return place if found is None else found.end()


def _values(text: str, place: int) -> tuple[list[str], int]:
    """Return the values that start at a position and the position of their end; no values if they can't be parsed."""
    values = []
    while found := _VALUE.match(text, place):
        values.append(_read(found))
        place = found.end()
        if found["end"] != ",":
            return values, place
    return [], place


def _read_name(found: re.Match[str]) -> tuple[str, bool]:
    """Return the name of a filter and whether the filter is negated."""
    plain = found["plain"]
    if plain is None:
        return _read(found), bool(found["negation"])
    is_negated = len(plain) > 1 and plain.endswith("!")
    return (plain[:-1] if is_negated else plain).rstrip(), is_negated


def _read(found: re.Match[str]) -> str:
    return found["plain"].rstrip() if found["quoted"] is None else found["quoted"].replace('""', '"')


def _written(text: str) -> str:
    if _PLAIN.match(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


class BrickForm(WholeModelForm):
    event_type = IdentifierFormField(
        required=False,
        max_length=catalog.MAX_NAME,
        widget=UnfoldAdminTextInputWidget,
        help_text="As services report it, such as message-sent. Case-sensitive.",
    )
    event_aggregation = forms.ChoiceField(
        label="Quantity",
        required=False,
        choices=rule_choices,
        widget=UnfoldAdminSelectWidget,
        help_text="How a period's events become a quantity.",
    )
    event_property = IdentifierFormField(
        label="Property",
        required=False,
        max_length=catalog.MAX_NAME,
        widget=UnfoldAdminTextInputWidget,
        help_text="The property that is added or counted distinctly. A value that is not a number adds nothing.",
    )
    event_filters = forms.CharField(
        label="Filters",
        required=False,
        strip=False,
        widget=UnfoldAdminExpandableTextareaWidget,
        help_text="One per line; an event has to match all: type = text, fax for either, type != fax for any other. "
        'Quotes preserve leading and trailing blanks: type = "text ".',
    )
    is_case_sensitive = forms.BooleanField(
        label="Filters are case-sensitive", required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )
    rule: EventTerms | None = None

    def __init__(self, *args: Any, instance: Brick | None = None, **options: Any) -> None:
        rule = instance and instance.event_rules.filter(replaced_at=None).first()
        if rule:
            options["initial"] = (options.get("initial") or {}) | {
                "event_type": rule.event_type,
                "event_aggregation": rule.aggregation,
                "event_property": rule.property,
                "event_filters": filters_as_text(rule.filters, rule.negated),
                "is_case_sensitive": rule.is_case_sensitive,
            }
        self.former = catalog.terms_of(rule) if rule else None
        super().__init__(*args, instance=instance, **options)
        if label := self.fields.get("unit_label"):
            label.required = False
            label.help_text = f"{label.help_text} Not needed if the brick is not metered."

    def clean(self) -> dict[str, Any]:
        refuse_taken_names(self, Name.Kind.BRICK)
        data = super().clean() or {}
        aggregation = OF_BRICKS[data.get("aggregation", self.instance.aggregation)]
        if "unit_label" in data and not data["unit_label"]:
            if not aggregation.is_metered:
                # There are no quantities to label; the API omits it as well.
                data["unit_label"] = Brick._meta.get_field("unit_label").default
            else:
                self.add_error("unit_label", "A unit is required, such as units or GB.")
        if aggregation.takes_events and (not self.former or set(RULE_FIELDS) & set(self.changed_data)):
            try:
                self.rule = self._terms(data)
            except ValidationError as error:
                add_errors(self, error, NAMES)
        return data

    def _terms(self, data: Mapping[str, Any]) -> EventTerms:
        filters, negated = filters_from_text(data.get("event_filters", ""))
        terms = EventTerms(
            event_type=data.get("event_type", ""),
            aggregation=data.get("event_aggregation", ""),
            property=data.get("event_property", ""),
            filters=filters,
            negated=negated,
            is_case_sensitive=data.get("is_case_sensitive", True),
        )
        catalog.check_rule(terms, former=self.former)
        return terms
