"""Filters of the list of usage records."""

from django.db.models import Q, QuerySet, TextChoices

from billing.models import Customer, Line
from usage.chains import HANDLE, known_as
from usage.dialects import RECORDED_AS
from usage.dialects.native.fields import parse_id
from usage.dialects.native.filters import FlagFilter, MomentFilter, NativeFilterSet, TextFilter, WordFilter
from usage.dialects.shared import lists
from usage.ledger import parse_line_number
from usage.models import UsageRecord, UsageRecordQuerySet


class _LinesFilter(TextFilter):
    """Filter by the lines that a name resolves to. Lines are found first: there are far fewer lines than records."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        return queryset.filter(lists.of_lines(self.lines(value))) if value else queryset

    def lines(self, value: str) -> QuerySet[Line]:
        return Line.objects.filter(_named(self.field_name, value), workspace=self.parent.workspace)


class _LineFilter(_LinesFilter):
    def lines(self, value: str) -> QuerySet[Line]:
        # As in reports: 001 is not the number 1, and may be another line's reference.
        number = parse_line_number(value)
        known = Q(reference=value) | (Q() if number is None else Q(number=number))
        return Line.objects.filter(known, workspace=self.parent.workspace)


class _CustomerFilter(TextFilter):
    """Filter for records of a customer's lines, and events whose alias resolved to the customer."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value:
            return queryset
        workspace = self.parent.workspace
        own = Customer.objects.filter(_named("", value), workspace=workspace)
        customers = list(own.values_list("pk", flat=True))
        lines = Line.objects.filter(workspace=workspace, subscription__customer__in=customers)
        return queryset.filter(Q(customer__in=customers) | lists.of_lines(lines))


def _named(path: str, value: str) -> Q:
    prefix = f"{path}__" if path else ""
    known = parse_id(value)
    by_reference = Q(**{f"{prefix}reference": value})
    return by_reference if known is None else by_reference | Q(**{f"{prefix}pk": known})


class _UnmatchedFilter(FlagFilter):
    def filter(self, queryset: UsageRecordQuerySet, value: bool | str) -> UsageRecordQuerySet:
        if value == "":
            return queryset
        if value:
            return queryset.of_nobody()
        return queryset.exclude(line=None, customer=None)


class _KeyFilter(TextFilter):
    """Filter by a sender's key. It finds chains whose last record has the key: only this one is in the index."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value:
            return queryset
        last = UsageRecord.objects.filter(
            workspace=self.parent.workspace, dialect__in=RECORDED_AS, key=value, superseded_by=None
        )
        chains = list(last.values_list(HANDLE, flat=True))
        return queryset.filter(known_as(chains, "in"), key=value)


class State(TextChoices):
    LIVE = "live", "Live records"
    ALL = "all", "Including superseded and retracted records"


class _StateFilter(WordFilter):
    def filter(self, queryset: UsageRecordQuerySet, value: str) -> UsageRecordQuerySet:
        return queryset if value == State.ALL else queryset.live()


class RecordFilter(NativeFilterSet):
    line = _LineFilter(help_text="By id or reference.")
    subscription = _LinesFilter(field_name="subscription", help_text="By id or reference.")
    brick = _LinesFilter(field_name="brick", help_text="By id or reference.")
    customer = _CustomerFilter(help_text="By id or reference.")
    customer_alias = TextFilter()
    event_type = TextFilter()
    unmatched = _UnmatchedFilter(help_text="Events whose alias resolves to no customer yet.")
    occurred_from = MomentFilter(
        field_name="occurred_at", lookup_expr="gte", help_text="Occurred at this moment or later."
    )
    occurred_before = MomentFilter(field_name="occurred_at", lookup_expr="lt", help_text="Occurred before this moment.")
    recorded_from = MomentFilter(
        field_name="recorded_at", lookup_expr="gte", help_text="Recorded at this moment or later."
    )
    recorded_before = MomentFilter(field_name="recorded_at", lookup_expr="lt", help_text="Recorded before this moment.")
    source = WordFilter(UsageRecord.Source)
    dialect = TextFilter()
    key = _KeyFilter()
    state = _StateFilter(State, help_text="By default live records.")
