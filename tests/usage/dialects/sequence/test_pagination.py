"""Sequence: events listed as they were received, by page and by filter."""

import uuid
from base64 import b64encode
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import parties
from billing.keys import forget_trusted
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.sequence.client import Sequence, wrong
from usage import ledger
from usage.commands import Origin, RecordById, RetractUsage
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NO_CURSOR = "Invalid cursor."


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def customer(workspace):
    return parties.create_customer(workspace=workspace, name="Globex", aliases=["globex"], actor=make.ACTOR)


@pytest.fixture
def sequence(workspace, customer):
    return Sequence(workspace)


def page(sequence: Sequence, query: str = "") -> tuple[list[str], dict[str, Any]]:
    """Return the events' own ids and the cursors of a page."""
    answer = sequence("GET", f"usage-events{query}").json()
    return [event["customerEventId"] for event in answer["items"]], answer["pagination"]


def walk(sequence: Sequence, query: str, direction: str, cursors: dict[str, Any]) -> list[list[str]]:
    """Follow a direction's cursors to the last page."""
    pages = []
    while direction in cursors:
        ids, cursors = page(sequence, f"{query}&{direction}={cursors[direction]}")
        pages.append(ids)
    return pages


@pytest.fixture
def five(sequence):
    for n in range(1, 6):
        sequence.report(customerEventId=f"E{n}")


def test_a_workspace_without_events_has_an_empty_page(sequence):
    assert page(sequence) == ([], {})


def test_events_are_listed_newest_first_and_as_they_were_told(sequence):
    told = [sequence.report(customerEventId=f"E{n}").json() for n in range(3)]

    assert sequence.events() == told[::-1]
    assert sequence.events("?sortOrder=DESC&sortBy=createdAt") == told[::-1]
    assert sequence.events("?sortOrder=ASC") == told


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        ("DESC", [["E5", "E4"], ["E3", "E2"], ["E1"]]),
        ("ASC", [["E1", "E2"], ["E3", "E4"], ["E5"]]),
    ],
)
def test_pages_are_turned_forward_and_back(sequence, five, order, pages):
    query = f"?limit=2&sortOrder={order}"
    first, cursors = page(sequence, query)

    assert (first, set(cursors)) == (pages[0], {"after"})
    assert walk(sequence, query, "after", cursors) == pages[1:]
    last, cursors = page(sequence, f"{query}&offset=4")
    assert (last, set(cursors)) == (pages[2], {"before"})
    assert walk(sequence, query, "before", cursors) == [pages[1], pages[0]]


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_the_pages_after_and_before_a_page_are_those_around_it(sequence, five, order):
    query = f"?limit=1&sortOrder={order}"
    middle, cursors = page(sequence, f"{query}&offset=2")

    assert middle == ["E3"]
    assert {*page(sequence, f"{query}&after={cursors['after']}")[0]} == {"E4" if order == "ASC" else "E2"}
    assert {*page(sequence, f"{query}&before={cursors['before']}")[0]} == {"E2" if order == "ASC" else "E4"}


def test_an_offset_counts_from_its_cursor(sequence, five):
    _, cursors = page(sequence, "?limit=1")

    assert page(sequence, f"?limit=1&after={cursors['after']}&offset=2")[0] == ["E2"]
    assert page(sequence, f"?limit=1&after={cursors['after']}&offset=9") == ([], {})


def test_what_comes_in_between_neither_repeats_nor_skips_an_event(sequence, five):
    ids, cursors = page(sequence, "?limit=2")
    sequence.report(customerEventId="E6")
    sequence.report("VOID", customerEventId="E1")

    assert ids + sum(walk(sequence, "?limit=2", "after", cursors), []) == ["E5", "E4", "E3", "E2", "E1"]


@pytest.mark.parametrize(("query", "shown"), [("", 20), ("?limit=1", 1), ("?limit=100", 100)])
def test_a_page_has_twenty_events_unless_told_otherwise(workspace, sequence, query, shown):
    origin = Origin(workspace_id=workspace.pk, source="api", dialect="sequence", recorded_by="tests")
    UsageRecord.objects.bulk_create(
        UsageRecord(
            workspace=workspace,
            customer_alias="globex",
            event_type="t",
            occurred_at=make.moment("2026-07-20"),
            recorded_at=make.moment("2026-07-20"),
            is_late=False,
            kind="entry",
            source=origin.source,
            dialect=origin.dialect,
            recorded_by=origin.recorded_by,
        )
        for _ in range(102)
    )

    assert len(sequence.events(query)) == shown


def test_a_matched_event_is_listed_once_and_as_it_was_told(workspace, sequence):
    told = sequence.report("initech").json()
    parties.create_customer(workspace=workspace, name="Initech", aliases=["initech"], actor=make.ACTOR)

    assert UsageRecord.objects.count() == 2
    assert sequence.events() == [told]


def test_an_event_retracted_in_the_panel_stays_as_it_was_told(workspace, sequence):
    told = sequence.report().json()
    ledger.retract_event(
        command=RetractUsage(
            origin=Origin(workspace_id=workspace.pk, source="panel", dialect="panel", recorded_by="finance"),
            target=RecordById(UsageRecord.objects.get().pk),
        ),
        recorded_at=make.moment("2026-07-20"),
    )

    assert sequence.events() == [told]


def test_usage_of_lines_and_of_other_workspaces_is_not_listed(workspace, sequence):
    make.use(make.line(workspace), "1", "2026-07-01", dialect="sequence")
    others = make.workspace("other")
    theirs = Sequence(others).report().json()

    assert sequence.events() == []
    assert sequence.events(f"?eventId={theirs['id']}") == []
    assert Sequence(workspace.twin).events() == []


@pytest.fixture
def various(workspace, sequence):
    """Three of Globex, of two types; one under a name that is nobody's and one taken back; Initech's came too early."""
    for key, alias, of_type, on in [
        ("sent", "globex", "message-sent", "2026-07-01"),
        ("read", "globex", "message-read", "2026-07-02"),
        ("nobody's", "who?", "message-sent", "2026-07-03"),
        ("void", "globex", "message-sent", "2026-07-04"),
        ("early", "initech", "message-sent", "2026-07-05"),
        ("again", "globex", "message-sent", "2026-07-06"),
    ]:
        sequence.report(alias, customerEventId=key, eventType=of_type, eventTimestamp=f"{on}T00:00:00Z")
    sequence.report("VOID", customerEventId="void", eventTimestamp="2026-07-04T00:00:00Z")
    parties.create_customer(workspace=workspace, name="Initech", aliases=["initech"], actor=make.ACTOR)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["void", "again", "early", "void", "nobody's", "read", "sent"]),
        ("customerAlias=globex", ["again", "void", "read", "sent"]),
        ("customerAlias=initech&customerAlias=who?", ["early", "nobody's"]),
        ("customerAlias=Globex", []),
        ("customerAlias=globex,initech", []),
        ("eventType=message-read", ["read"]),
        ("eventType=Message-Read", []),
        ("customerAlias=globex&eventType=message-sent", ["again", "void", "sent"]),
        ("unmappedAliasesOnly=true", ["void", "nobody's"]),
        ("unmappedAliasesOnly=true&customerAlias=who?", ["nobody's"]),
        ("unmappedAliasesOnly=false&customerAlias=who?", ["nobody's"]),
        # What happened at the first moment is after it, what happened at the second not before it.
        ("eventTimestampAfter=2026-07-02T00:00:00Z&eventTimestampBefore=2026-07-03T00:00:00Z", ["read"]),
        ("eventTimestampAfter=2026-07-06T02:00:00%2B02:00", ["again"]),
        ("eventTimestampBefore=2026-07-01 00:00:00.000001", ["sent"]),
        ("limit=&after=&sortOrder=&eventType=message-read", ["read"]),
    ],
)
def test_events_are_filtered(sequence, various, query, found):
    assert page(sequence, f"?{query}")[0] == found


def test_filters_hold_on_every_page(sequence, various):
    query = "?customerAlias=globex&limit=1"
    first, cursors = page(sequence, query)

    assert [first, *walk(sequence, query, "after", cursors)] == [["again"], ["void"], ["read"], ["sent"]]


def test_an_event_is_found_by_its_id(sequence):
    first = sequence.report(customerEventId="E-1").json()
    second = sequence.report(customerEventId="E-1").json()

    assert sequence.events(f"?eventId={first['id']}") == [first]
    assert sequence.events(f"?eventId={second['id'].upper()}") == [second]


def test_an_id_that_no_event_has_finds_none(sequence):
    told = uuid.UUID(sequence.report().json()["id"])
    with time_machine.travel("2026-07-20T14:00:00.001Z", tick=False):
        other_moment = uuid.UUID(sequence.report().json()["id"])

    # The same number of another moment, or in another version.
    swapped = uuid.UUID(int=(other_moment.int >> 80 << 80) | (told.int & (1 << 80) - 1))
    for wrong_id in (swapped, uuid.UUID(int=told.int ^ (1 << 76)), uuid.uuid4(), uuid.UUID(int=2**128 - 1)):
        assert sequence.events(f"?eventId={wrong_id}") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Ensure this value is greater than or equal to 1."),
        ("limit=101", "Ensure this value is less than or equal to 100."),
        ("limit=ten", "A valid integer is required."),
        ("offset=-1", "Ensure this value is greater than or equal to 0."),
        (f"offset={2**31}", f"Ensure this value is less than or equal to {2**31 - 1}."),
        ("sortOrder=desc", '"desc" is not a valid choice.'),
        ("sortBy=eventTimestamp", '"eventTimestamp" is not a valid choice.'),
        ("unmappedAliasesOnly=maybe", "Must be a valid boolean."),
        ("eventId=1", "Must be a valid UUID."),
        ("eventType=%00", "Null characters are not allowed."),
        ("eventTimestampAfter=9999-12-31T23:59:59Z", "Datetime is out of range."),
        ("after=!", NO_CURSOR),
        ("after=ä", NO_CURSOR),
        (f"after={b64encode(b'-1').decode()}", NO_CURSOR),
        (f"after={b64encode(str(2**63).encode()).decode()}", NO_CURSOR),
        (f"before={b64encode(b'x').decode()}", NO_CURSOR),
        ("customerAlias=%00", "Give at most 100 texts of at most 255 characters."),
        (f"customerAlias={'x' * 256}", "Give at most 100 texts of at most 255 characters."),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_parameter_is_named(sequence, query, message):
    response = sequence("GET", f"usage-events?{query}")

    assert (response.status_code, response.json()) == (400, wrong(**{query.partition("=")[0]: message}))


def test_only_so_many_aliases_are_taken(sequence):
    response = sequence("GET", "usage-events?" + "&".join(f"customerAlias={n}" for n in range(101)))

    assert response.json() == wrong(customerAlias="Give at most 100 texts of at most 255 characters.")


def test_a_page_is_after_or_before_another(sequence, five):
    _, cursors = page(sequence, "?limit=1")

    response = sequence("GET", f"usage-events?after={cursors['after']}&before={cursors['after']}")

    assert response.json() == wrong(before="Give either after or before, not both.")


@pytest.mark.parametrize("events", [1, 5])
@pytest.mark.parametrize(
    "query", ["", "?after=OTk5OTk5OTk5", "?before=MA==", "?unmappedAliasesOnly=true&customerAlias=globex", "?offset=1"]
)
def test_a_list_takes_one_query_beside_the_keys(sequence, query, events):
    for _ in range(events):
        sequence.report()
    forget_trusted()

    with CaptureQueriesContext(connection) as queries:
        sequence.events(query)

    assert len(about_rows(queries)) == 2


@pytest.mark.parametrize(
    "name", ["customerAlias", "eventType", "eventId", "eventTimestampBefore", "unmappedAliasesOnly"]
)
def test_an_empty_filter_is_refused_and_not_passed_over(sequence, name):
    response = sequence("GET", f"usage-events?{name}=")

    assert response.status_code == 400
    assert response.json() == {"errors": [{"field": name, "message": "This parameter may not be empty."}]}
