"""Filters and search of the ledger's list: each uses an index, so its time does not grow with the ledger."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import ModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from billing.models import Customer, Line
from billing.names import parse_whole
from usage.admin.preview import invoice_line_or_none
from usage.ahead import ahead_from
from usage.dialects import RECORDED_AS
from usage.metering import RuleTooLarge
from usage.models import UsageRecord
from usage.newest import GATHERED, are_few

MOST_LINES = MOST_CUSTOMERS = 500


class CountedBy(SimpleListFilter):
    """Filter for exactly the records that an invoice line has counted; links set and clear it."""

    title = "invoice line"
    parameter_name = "invoice_line"
    template = "panel/boxes/no_filter.html"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name)
        return [(chosen, f"Invoice line {chosen}")] if chosen else []

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None:
            return queryset
        line = invoice_line_or_none(request, self.value() or "")
        if line is None:
            return queryset.none()
        try:
            return queryset.counted_by(line)
        except RuleTooLarge as error:
            messages.error(request, str(error))
            return queryset.none()


class SourceFilter(DropdownFilter):
    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return list(UsageRecord.Source.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(source=self.value()) if self.value() else queryset


class DialectFilter(DropdownFilter):
    title = "dialect"
    parameter_name = "dialect"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [(name, name) for name in RECORDED_AS]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(dialect=self.value()) if self.value() else queryset


class StateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, Any]]:
        return [
            ("counts", "Counts"),
            ("unmatched", "Unmatched: no customer has its alias"),
            ("late", "Late"),
            ("ahead", "Dated in the future"),
            ("superseded", "Superseded or retracted"),
            ("retraction", "Retractions"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "counts":
                return queryset.live().filter(Q(line__isnull=False) | Q(customer__isnull=False))
            case "unmatched":
                return queryset.unmatched()
            case "late":
                return queryset.filter(is_late=True)
            case "ahead":
                return queryset.dated_after(ahead_from(timezone.now()))
            case "superseded":
                return queryset.filter(superseded_by__isnull=False)
            case "retraction":
                return queryset.filter(kind=UsageRecord.Kind.RETRACTION)
            case None | "":
                return queryset
        return queryset.none()


def search(records: QuerySet[UsageRecord], term: str, *, workspace_id: int) -> QuerySet[UsageRecord]:
    """Find live records by their exact key, and records by their line's number, their exact alias or a customer's name.

    ``records`` are of one workspace. A name is found by its beginning; blanks around the search term are ignored.
    """
    exact, term = {term, term.strip()}, term.strip()
    if not term:
        return records
    # The index of keys begins with the dialect, so the condition lists all dialects.
    by_key = UsageRecord.objects.filter(
        workspace_id=workspace_id, dialect__in=RECORDED_AS, key__in=exact, superseded_by=None
    ).values_list("pk", flat=True)
    called = Customer.objects.filter(workspace_id=workspace_id, name__istartswith=term)
    customers = list(called.values_list("pk", flat=True)[:MOST_CUSTOMERS])
    named = Line.objects.filter(workspace_id=workspace_id, subscription__customer__in=customers).order_by("-pk")
    lines = list(named.values_list("pk", flat=True)[:MOST_LINES])
    if (number := parse_whole(term)) is not None:
        numbered = Line.objects.filter(workspace_id=workspace_id, number=number)
        lines.extend(numbered.values_list("pk", flat=True)[:MOST_LINES])
    found = records.filter(
        Q(pk__in=list(by_key))
        | Q(line_id__in=lines)
        | Q(customer_id__in=customers)
        | Q(workspace_id=workspace_id, customer_alias__in=exact)
    )
    # Each condition has an index, but none gives the order.
    return found.order_by(GATHERED) if are_few(found) else found
