"""Events that waited under a name are matched, with the name, with the customer who gets it."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import parties
from tests import factories as make
from usage.ledger.events import matching
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_events_that_waited_go_to_the_customer_who_gets_the_name():
    owner = make.workspace()
    first = make.event(owner, "gx", AT, key="m-1", length=Decimal("1.50"))
    second = make.event(owner, "gx", "2026-01-11", key="m-2")
    make.event(owner, "GX", AT)
    make.take_event_back(make.event(owner, "gx", AT, key="m-3"))
    make.event(owner.twin, "gx", AT)

    globex = make.customer(owner, aliases=["gx"])

    matches = UsageRecord.objects.filter(kind="match").order_by("id")
    assert [(row.origin_id, row.key, row.customer) for row in matches] == [
        (first.id, "m-1", globex),
        (second.id, "m-2", globex),
    ]
    assert [UsageRecord.objects.get(pk=told.id).superseded_by_id for told in (first, second)] == [
        row.pk for row in matches
    ]
    match, former = matches[0], UsageRecord.objects.get(pk=first.id)
    for field in ("workspace_id", "customer_alias", "event_type", "occurred_at", "recorded_at", "source", "dialect"):
        assert getattr(match, field) == getattr(former, field)
    assert (match.properties, match.recorded_by) == ({"length": Decimal("1.50")}, "matched when tests gave the name")
    assert UsageRecord.objects.unmatched().count() == 2


def test_events_are_matched_by_id_reference_and_alias_whenever_they_are_given():
    owner = make.workspace()
    known = "7f0c6a52-52a8-4f5a-8c7e-0a1f8d2f4f11"
    names = [known, "C-1", "gx", "added", "changed", "C-2"]
    for name in names:
        make.event(owner, name, AT)

    def waiting() -> list[str | None]:
        return list(UsageRecord.objects.unmatched().order_by("id").values_list("customer_alias", flat=True))

    globex = make.customer(owner, id=known, reference="C-1", aliases=["gx"])
    assert waiting() == ["added", "changed", "C-2"]
    alias = parties.add_alias(customer=globex, value="added", actor=make.ACTOR)
    assert waiting() == ["changed", "C-2"]
    parties.update_alias(alias=alias, value="changed", actor=make.ACTOR)
    assert waiting() == ["C-2"]
    parties.update_customer(customer=globex, reference="C-2", actor=make.ACTOR)
    assert waiting() == []
    assert set(UsageRecord.objects.live().values_list("customer", flat=True)) == {globex.pk}


def test_matching_is_set_based(monkeypatch):
    monkeypatch.setattr(matching, "BATCH", 4)
    owner = make.workspace()
    globex = make.customer(owner)
    for number in range(10):
        make.event(owner, "gx", AT, key=f"m-{number}")

    with CaptureQueriesContext(connection) as queries:
        parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    of_matching = [query for query in queries if "usage_usagerecord" in query["sql"]]
    ids = [query for query in of_matching if "nextval" in query["sql"] or "sqlite_sequence" in query["sql"]]
    # Which wait; and in three batches: their ids, the formers, the matches.
    assert len(of_matching) - len(ids) == 1 + 3 * 2
    assert len(queries) <= 30
    assert UsageRecord.objects.filter(kind="match", customer=globex).count() == 10
    assert not UsageRecord.objects.unmatched().exists()
