"""Matching events that came under a name before a customer had it: each gets a further record that says whose it is."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from billing.jsontext import encode
from billing.models import Customer
from billing.parties import NOBODY
from usage.ledger.locks import lock_customers, lock_names, next_ids
from usage.ledger.values import adapt
from usage.models import UsageRecord

BATCH = 1000


@transaction.atomic
def match_waiting(customer: Customer, names: Sequence[str]) -> None:
    """Give a customer the live events that wait under names, to the letter, in the caller's transaction."""
    given = {name for name in names if name != NOBODY}
    late_before = max(lock_customers([customer.pk]), default=None)
    lock_names(customer.workspace_id, given, alone=True)
    waiting = UsageRecord.objects.live().filter(
        workspace_id=customer.workspace_id, customer_alias__in=given, customer=None
    )
    while formers := list(waiting.order_by("id").values_list("id", flat=True)[:BATCH]):
        _match(formers, customer, late_before)


_GIVEN = {
    "postgresql": "unnest(%s::bigint[], %s::bigint[]) AS given(former, id)",
    "sqlite": "(SELECT json_extract(value, '$[0]') AS former, json_extract(value, '$[1]') AS id"
    " FROM json_each(%s)) AS given",
}
_SUPERSEDE = "UPDATE usage_usagerecord SET superseded_by_id = given.id FROM {given} WHERE usage_usagerecord.id = former"
_MATCH = """
INSERT INTO usage_usagerecord
    (id, workspace_id, customer_id, is_late, customer_alias, event_type, occurred_at, recorded_at,
     kind, source, dialect, key, recorded_by, note, properties, folded, origin_id)
SELECT given.id, r.workspace_id, %s, COALESCE(r.occurred_at < %s, FALSE), r.customer_alias, r.event_type,
    r.occurred_at, r.recorded_at, 'match', r.source, r.dialect, r.key, 'matched when the name was given', '',
    r.properties, r.folded, COALESCE(r.origin_id, r.id)
FROM {given} JOIN usage_usagerecord r ON r.id = given.former
"""


def _match(formers: list[int], customer: Customer, late_before: datetime | None) -> None:
    ids = next_ids(len(formers))
    pairs = (
        [formers, ids] if connection.vendor == "postgresql" else [encode(list(zip(formers, ids, strict=True))).decode()]
    )
    given = _GIVEN[connection.vendor]
    with connection.cursor() as cursor:
        # The formers first: only one live record may have a key.
        cursor.execute(_SUPERSEDE.format(given=given), pairs)
        parameters = [adapt("customer", customer.pk), late_before and adapt("occurred_at", late_before), *pairs]
        cursor.execute(_MATCH.format(given=given), parameters)
