"""Keys make one record each, and a record that supersedes another keeps what it does not change."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import parties
from tests import factories as make
from tests.usage.ledger.commands import origin_of
from usage import ledger
from usage.ledger.locks import Overtaken
from usage.ledger.store import holder_of_key, holders_of_keys, next_ids, refuse_taken_key, successor, supersede
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_a_key_makes_one_record_per_workspace_and_dialect():
    line, other = make.line(), make.line(make.workspace("other"))
    first = make.use(line, "1", AT, key="k")
    make.use(line, "1", AT, key="k", dialect="sequence")
    make.use(other, "1", AT, key="k")

    with pytest.raises(ledger.DuplicateKey) as duplicate:
        make.use(line, "2", "2026-01-12", key="k")

    assert duplicate.value.record_id == first.id
    assert UsageRecord.objects.count() == 3


def test_a_key_that_does_not_supersede_is_refused_with_the_handle_of_its_record():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    first = make.event(owner, "gx", AT, key="m-1")
    make.event(owner, "gx", AT, key="m-1")

    for alias in ("gx", "unknown"):
        with pytest.raises(ledger.DuplicateKey) as refusal:
            make.event(owner, alias, AT, key="m-1", supersedes=False)
        assert refusal.value.record_id == first.id

    assert make.event(owner, "gx", AT, key="m-1", supersedes=False, dialect="native").handle != first.id


def test_an_event_does_not_supersede_a_lines_record():
    line = make.line()
    recorded = make.use(line, "1", AT, key="m-1", dialect="native")

    with pytest.raises(ledger.DuplicateKey) as refusal:
        make.event(line.workspace, "gx", AT, key="m-1", dialect="native")

    assert refusal.value.record_id == recorded.id


def test_the_holders_of_many_keys_are_those_of_each():
    line = make.line()
    owner, other = line.workspace, make.line(make.workspace("other"))
    records = {key: make.use(line, "1", AT, key=key, dialect="native") for key in ("live", "corrected", "retracted")}
    make.fix(records["corrected"], "2")
    make.take_back(records["retracted"])
    events = {"event": make.event(owner, "gx", AT, key="event", dialect="native")}
    make.event(owner, "gx", AT, key="event", dialect="native")
    make.use(line, "1", AT, key="of a dialect", dialect="piriod")
    make.use(other, "1", AT, key="theirs", dialect="native")
    make.use(line, "1", AT, dialect="native")
    handles = {key: record.id for key, record in (records | events).items()}
    keys = [*handles, "of a dialect", "theirs", "unused"]

    wanted: dict[int, tuple[str, str | None]] = {n: ("native", key) for n, key in enumerate([*keys, None])}
    found = holders_of_keys(wanted, workspace_id=owner.pk)

    each = {key: holder_of_key(workspace_id=owner.pk, dialect="native", key=key) for key in keys}
    assert {key: holder.handle for key, holder in each.items() if holder} == handles
    assert {keys[n]: handle for n, handle in found.items()} == handles


def test_where_there_is_no_key_nothing_is_looked_for():
    origin = origin_of(make.workspace())

    with CaptureQueriesContext(connection) as queries:
        assert holders_of_keys({1: ("native", None)}, workspace_id=origin.workspace_id) == {}
        refuse_taken_key(origin=origin, key=None)

    assert len(queries) == 0


def test_a_successor_keeps_what_is_not_changed_and_says_who_made_it():
    line = make.line()
    first = make.use(line, "7", AT, key="k", dialect="native")
    former = UsageRecord.objects.get(pk=make.fix(first, "8").id)
    at = make.moment("2026-02-20")

    change = successor(
        former, kind="correction", origin=origin_of(line.workspace, "piriod"), recorded_at=at, quantity=Decimal(9)
    )

    assert (change.pk, change.line_id, change.occurred_at) == (None, line.pk, former.occurred_at)
    assert (change.key, change.dialect, change.handle) == ("k", "native", first.id)
    assert (change.quantity, change.recorded_at, change.note) == (9, at, "")
    assert (change.source, change.recorded_by) == ("api", "key ark_live_x")


def test_an_events_successor_folds_the_properties_that_it_has():
    owner = make.workspace()
    former = UsageRecord.objects.get(pk=make.event(owner, "gx", AT, key="k", street="STRASSE").id)
    made = {"kind": "correction", "origin": origin_of(owner), "recorded_at": make.moment(AT)}

    assert successor(former, **made).folded == {"street": "strasse"}
    assert successor(former, **made, properties={"street": "Weg"}).folded == {"street": "weg"}


@pytest.mark.parametrize(
    ("was_at", "is_at", "open_from", "is_late"),
    [
        ("2026-01-31", "2026-01-31", "2026-02-01", True),
        ("2026-01-31", "2026-02-01", "2026-02-01", True),
        ("2026-02-01", "2026-01-31", "2026-02-01", True),
        ("2026-02-01", "2026-02-01", "2026-02-01", False),
        ("2026-01-31", "2026-01-31", None, False),
    ],
)
def test_a_change_is_late_where_either_moment_is_of_a_closed_period(was_at, is_at, open_from, is_late):
    owner = make.workspace()
    former = UsageRecord.objects.get(pk=make.event(owner, "gx", was_at).id)
    change = successor(
        former,
        kind="correction",
        origin=origin_of(owner),
        recorded_at=make.moment("2026-03-01"),
        occurred_at=make.moment(is_at),
    )

    supersede(former, change, open_from_at=open_from and make.moment(open_from))

    former.refresh_from_db()
    assert former.superseded_by_id == change.pk
    assert UsageRecord.objects.get(pk=change.pk).is_late is is_late


def test_what_was_superseded_since_it_was_read_is_not_superseded_again():
    owner = make.workspace()
    told = make.event(owner, "gx", AT)
    former = UsageRecord.objects.get(pk=told.id)
    make.take_event_back(told)
    change = successor(former, kind="correction", origin=origin_of(owner), recorded_at=make.moment(AT))

    with pytest.raises(Overtaken), transaction.atomic():
        supersede(former, change, open_from_at=None)

    assert UsageRecord.objects.count() == 2


def test_matches_are_what_superseding_each_event_would_make():
    owner = make.workspace()
    late, open_from_at = make.event(owner, "gx", AT, key="a", street="STRASSE"), make.moment("2026-02-01")
    make.event(owner, "gx", "2026-02-01", key="b")
    make.fix_event(late, properties={"street": "WEG"})
    formers = list(UsageRecord.objects.live().defer(None).order_by("occurred_at"))

    globex = make.customer(owner)
    type(globex).objects.filter(pk=globex.pk).update(events_open_from_at=open_from_at)
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    matches = list(UsageRecord.objects.filter(kind="match").defer(None).order_by("occurred_at"))
    assert [match.is_late for match in matches] == [True, False]
    for former, match in zip(formers, matches, strict=True):
        alone = successor(
            former,
            kind="match",
            origin=origin_of(owner, former.dialect),
            recorded_at=former.recorded_at,
            customer_id=globex.pk,
        )
        assert _said(match) == _said(alone)
        assert match.source == former.source


def _said(record: UsageRecord) -> dict[str, object]:
    """Return what a record says, aside from its id, its lateness, and who made it."""
    made = ("id", "is_late", "source", "recorded_by", "superseded_by_id")
    names = [field.attname for field in record._meta.concrete_fields if field.attname not in made]
    return {name: getattr(record, name) for name in names}


def test_ids_are_drawn_in_order_and_after_all_that_were_drawn():
    newest = make.use(make.line(), "1", AT).id

    ids = next_ids(3)

    assert newest < ids[0] < ids[1] < ids[2]
