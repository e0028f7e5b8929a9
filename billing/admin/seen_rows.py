"""Formsets of a row's page that report rows that others have added or removed meanwhile."""

from collections.abc import Mapping
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from unfold.forms import PaginationInlineFormSet

from billing.admin.seen import SALT, SEEN, STALE
from billing.names import parse_whole


class SeenRows(PaginationInlineFormSet):
    """A formset that carries the signed keys of the rows shown. If the rows differ when it is sent, it is refused once.

    Then it shows the current rows, each as entered or as stored now, and the rows that were added on the page.

    If the rows take several pages (``per_page`` of the inline), it contains the rows of the page that was shown.
    """

    stale: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        carried = self.data.get(self.seen_name) if self.is_bound else None
        if carried and self.instance.pk is not None:
            before = self._before(carried)
            if self.is_paged:
                # Rows move between pages when others are added or removed, so they are found by their keys.
                self._queryset = self.queryset.filter(pk__in=before)
            self._compare(before)

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        # Django's own field of a row's key accepts the rows of other parents.
        form.fields[self.model._meta.pk.name].queryset = self._rows()
        if form.instance.pk is not None:
            form.called = str(form.instance)

    def _rows(self) -> Any:
        if self.instance._state.adding:
            return self.model._default_manager.none()
        return getattr(self.instance, self.fk.remote_field.get_accessor_name()).all()

    @property
    def is_paged(self) -> bool:
        return bool(self.per_page) and self.paginator.num_pages > 1

    @property
    def seen_name(self) -> str:
        return f"{self.prefix}-{SEEN}"

    @property
    def seen(self) -> str:
        """Return the signed rows for the page to carry."""
        return signing.dumps(self._rows_now(), salt=SALT, compress=True) if self.instance.pk is not None else ""

    def clean(self) -> None:
        super().clean()
        # A formset does not validate deleted rows, so changes of these by others are reported here.
        taken_away = [form for form in self.forms if self._should_delete_form(form)]
        problems = [*self.stale, *(text for form in taken_away for text in form.meanwhile)]
        if problems:
            raise ValidationError([STALE, *problems], code="stale")

    def standing(self, before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
        """Return the key of each row that still exists, by the key that the page showed.

        Both arguments map the key of a row to its name.
        """
        return {pk: pk for pk in now}

    def _rows_now(self) -> dict[str, str]:
        return {str(row.pk): str(row) for row in self.get_queryset()}

    def get_page_num(self) -> Any:
        return self.request.GET.get(self.get_pagination_key())

    def get_page(self, paginator: Paginator, page: Any) -> Page:
        # Accept any text; beyond the end return the last page.
        return paginator.get_page(page)

    def _before(self, carried: str) -> dict[str, str]:
        try:
            return signing.loads(carried, salt=SALT)
        except signing.BadSignature:
            return {}

    def _compare(self, before: dict[str, str]) -> None:
        now = self._rows_now()
        standing = self.standing(before, now)
        known = {standing[pk] for pk in before if pk in standing}
        gone = [f"“{before[pk]}” was removed." for pk in before if pk not in standing]
        new = [f"“{now[pk]}” was added." for pk in now if pk not in known]
        self.stale = (*gone, *new)
        if before.keys() != now.keys():
            self.data = self._rebuilt(standing)

    def _rebuilt(self, standing: Mapping[str, str]) -> Any:
        """Return the posted data with the current rows as the first ones."""
        data = self.data.copy()
        posted = [self._posted(n) for n in range(self._count("TOTAL_FORMS"))]
        by_id = {standing[pk]: row | {"id": standing[pk]} for row in posted if (pk := row.get("id", "")) in standing}
        added = [row for row in posted if not row.get("id")]
        for key in [key for key in data if key.startswith(f"{self.prefix}-") and key != self.seen_name]:
            del data[key]
        rows = [by_id.get(str(row.pk)) or self._as_shown(row) for row in self.get_queryset()]
        for n, row in enumerate([*rows, *added]):
            for name, value in row.items():
                data[f"{self.prefix}-{n}-{name}"] = value
        data[f"{self.prefix}-INITIAL_FORMS"] = len(rows)
        data[f"{self.prefix}-TOTAL_FORMS"] = len(rows) + len(added)
        return data

    def _count(self, name: str) -> int:
        count = parse_whole(self.data.get(f"{self.prefix}-{name}", ""))
        return min(count or 0, self.absolute_max)

    def _posted(self, n: int) -> dict[str, str]:
        start = f"{self.prefix}-{n}-"
        return {key.removeprefix(start): self.data[key] for key in self.data if key.startswith(start)}

    def _as_shown(self, row: Any) -> dict[str, str]:
        shown = self.form(instance=row)
        values = {name: shown[name].value() for name in shown.fields}
        return {name: value for name, value in values.items() if value is not None} | {"id": str(row.pk)}
