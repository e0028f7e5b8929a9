"""Queries of large lists, by dialect. Each must be answered from an index.

Names in braces are filled in by ``path_of`` from the rows of the test.
"""

import base64
from urllib.parse import quote

from django.contrib.auth import get_user_model
from django.test import Client

from billing import keys, people
from billing.models import Brick, Line, Workspace
from tests.factories import actor
from usage.dialects.sequence.identifiers import public_id
from usage.models import UsageRecord

PIRIOD, REBILLY, SEQUENCE, NATIVE, PANEL = "piriod", "rebilly", "sequence", "native", "panel"
SALESBRICKS = "salesbricks_v2"
OLD = ("2024-01-15T10:00:00Z", "2024-01-15T11:00:00Z")

UNFILTERED = [
    (PIRIOD, ""),
    (REBILLY, ""),
    (SEQUENCE, ""),
    (NATIVE, ""),
    (NATIVE, "state=all"),
    (PANEL, ""),
    # Nearly all records.
    (PANEL, "state=counts"),
]
# So many lines match that the first records of the ledger are as good as any.
BROAD = [(NATIVE, "brick={brick}")]
ORDERED = [
    (PIRIOD, "ordering=id"),
    (PIRIOD, "ordering=-id"),
    (PIRIOD, "ordering=date_time"),
    (PIRIOD, "ordering=-date_time"),
    (PIRIOD, "ordering=created"),
    (PIRIOD, "ordering=-created"),
    (PIRIOD, "ordering=-created&page=200"),
    (REBILLY, "sort=id"),
    (REBILLY, "sort=-id"),
    (REBILLY, "sort=usageTime"),
    (REBILLY, "sort=-usageTime"),
    (REBILLY, "sort=createdTime"),
    (REBILLY, "sort=-createdTime"),
    (REBILLY, "sort=updatedTime"),
    (REBILLY, "sort=-updatedTime,quantity"),
]
FILTERED = [
    (PIRIOD, "id=5"),
    (PIRIOD, "id__in=5,6,7"),
    (PIRIOD, "subscription_line=1001"),
    (PIRIOD, "subscription_line=2"),
    (PIRIOD, "subscription_line=999999"),
    (PIRIOD, "subscription_line__in=2,1001"),
    (PIRIOD, f"date_time__gte={OLD[0]}&date_time__lt={OLD[1]}"),
    (PIRIOD, "date_time__lte=2020-01-01"),
    (PIRIOD, "creation_scheme=file"),
    (PIRIOD, "creation_scheme=panel"),
    (PIRIOD, "creation_scheme__in=file,panel"),
    (PIRIOD, "created__lt=2024-01-17"),
    (REBILLY, f"filter=id:sub_usg_{5:026}"),
    (REBILLY, "filter=subscriptionId:1001"),
    (REBILLY, "filter=subscriptionId:2"),
    (REBILLY, "filter=subscriptionId:nobody"),
    (REBILLY, f"filter=usageTime:{OLD[0]}..{OLD[1]}"),
    (REBILLY, f"filter=invoiceId:in_{5:026}"),
    (REBILLY, "filter=createdTime:..2024-01-17"),
    (REBILLY, "filter=createdTime:2024-01-16"),
    (REBILLY, "filter=createdTime:2024-02-01..2024-03-01,2030-01-01.."),
    (REBILLY, "filter=updatedTime:..2024-01-17"),
    (REBILLY, "q=nobody"),
    (SEQUENCE, "customerAlias=c 7"),
    (SEQUENCE, "unmappedAliasesOnly=true"),
    (SEQUENCE, "eventType=rare"),
    (SEQUENCE, "eventType=never"),
    (SEQUENCE, f"eventTimestampAfter={OLD[0]}&eventTimestampBefore={OLD[1]}"),
    (SEQUENCE, "eventTimestampBefore=2020-01-01T00:00:00Z"),
    (SEQUENCE, "eventId={event}"),
    (NATIVE, "line=1001"),
    (NATIVE, "line=2"),
    (NATIVE, "subscription=s 7"),
    (NATIVE, "brick={unused brick}"),
    (NATIVE, "customer=c 7"),
    (NATIVE, "customer_alias=c 7"),
    (NATIVE, "event_type=never"),
    (NATIVE, "unmatched=true"),
    (NATIVE, f"occurred_from={OLD[0]}&occurred_before={OLD[1]}"),
    (NATIVE, "recorded_before=2024-01-17T00:00:00Z"),
    (NATIVE, "source=file"),
    (NATIVE, "dialect=salesbricks_v1"),
    (NATIVE, "dialect=rebilly"),
    (NATIVE, "key=key 44"),
    (NATIVE, "key=key 44&state=all"),
    (PANEL, "source=file"),
    (PANEL, "source=panel"),
    (PANEL, "dialect=salesbricks_v1"),
    (PANEL, "dialect=rebilly"),
    (PANEL, "state=ahead"),
    (PANEL, "state=unmatched"),
    (PANEL, "state=late"),
    (PANEL, "state=superseded"),
    (PANEL, "state=retraction"),
    (PANEL, "q=key 44"),
    (PANEL, "q=c 7"),
    (SALESBRICKS, ""),
    (SALESBRICKS, "search=nobody"),
]
CASES = UNFILTERED + BROAD + ORDERED + FILTERED

PATHS = {
    PIRIOD: "/piriod/usages/",
    REBILLY: "/rebilly/usages",
    SEQUENCE: "/sequence/api/usage-events",
    NATIVE: "/api/usage/",
    PANEL: "/admin/usage/usagerecord/",
    SALESBRICKS: "/salesbricks/api/v2/subscriptions/{subscription}/bricks/{brick}/usage/entries",
}


def path_of(owner: Workspace, dialect: str, query: str) -> str:
    line = Line.objects.get(workspace=owner, number=1001)
    event = UsageRecord.objects.filter(workspace=owner, customer_alias__isnull=False).earliest("pk")
    names = {
        "subscription": line.subscription_id,
        "brick": line.brick_id,
        "unused brick": Brick.objects.get(workspace=owner, name="Nothing").pk,
        "event": public_id(event.pk, event.recorded_at),
    }
    path, query = PATHS[dialect].format(**names), query.format(**names)
    return path + (f"?{quote(query, safe='=&')}" if query else "")


def client_of(owner: Workspace, dialect: str) -> Client:
    """Return a client that has an API key of the workspace, or has logged in."""
    if dialect == PANEL:
        client = Client()
        user, _ = get_user_model().objects.get_or_create(username="reader", is_superuser=True, is_staff=True)
        client.force_login(user)
        people.show(owner, user_id=user.pk)
        return client
    _, text = keys.create_key(workspace=owner, name="lists", actor=actor("tests"))
    headers = {
        PIRIOD: {"Authorization": f"Token {text}", "x-simple-workspace": owner.code},
        REBILLY: {"REB-APIKEY": text},
        SEQUENCE: {"Authorization": "Basic " + base64.b64encode(f"{text}:".encode()).decode()},
        NATIVE: {"Authorization": f"Bearer {text}"},
        SALESBRICKS: {"X-SALESBRICKS-KEY": text},
    }
    return Client(headers=headers[dialect])
