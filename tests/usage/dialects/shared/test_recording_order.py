"""Lists in an order without an index have the same rows on every page as if all were sorted."""

import itertools
import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from billing.storage.jsontext import decode
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.piriod.client import WORKSPACE, Piriod, ids
from tests.usage.dialects.rebilly.client import Rebilly
from usage.dialects.rebilly import identifiers
from usage.dialects.shared import recording_order
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

START = make.moment("2026-07-01")
KEYS = {
    "id": lambda record: record.handle,
    "date_time": lambda record: record.occurred_at,
    "quantity": lambda record: record.quantity,
    "updated": lambda record: record.recorded_at,
    "created": lambda record: (record.origin or record).recorded_at,
}
OF_PIRIOD = {"id": "id", "date_time": "date_time", "created": "updated"}
OF_REBILLY = {"id": "id", "usageTime": "date_time", "createdTime": "created", "updatedTime": "updated"}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Have no list so short that it is sorted."""
    monkeypatch.setattr(recording_order, "FEW", 0)


@pytest.fixture(params=[1, 2])
def owner(request):
    """A workspace whose clock went back and forth: usages, some corrected, again or taken back, and events."""
    chance = random.Random(request.param)
    line, other = make.line(make.workspace(WORKSPACE)), make.line(make.workspace("other"))
    make.customer(line.workspace, "Initech", aliases=["initech"])
    known = []

    def now(n):
        return f"{START + timedelta(hours=n // 3 + chance.choice([0, 0, 0, 7, -7])):%Y-%m-%d %H:%M}"

    for n in range(60):
        day = f"2026-07-{chance.randint(1, 9):02d}"
        match chance.choice(["use"] * 4 + ["fix", "retract", "event", "other"]):
            case "fix" if known:
                place = chance.randrange(len(known))
                make.fix(known[place], str(chance.randint(1, 9)), recorded_at=now(n))
            case "retract" if known:
                make.take_back(known.pop(chance.randrange(len(known))))
            case "event":
                make.event(line.workspace, "initech", day)
            case "other":
                make.fix(make.use(other, "1", day), "2")
            case _:
                known.append(make.use(line, str(chance.randint(1, 9)), day, recorded_at=now(n)))
    return line.workspace


def expected(owner, *order):
    """Return the ids that senders know, of records sorted by Python; the newest of equal ones first."""
    found = UsageRecord.objects.live().filter(workspace=owner, line__isnull=False).select_related("origin")
    records = list(found.order_by("-pk"))
    for term in reversed(order):
        records.sort(key=KEYS[term.removeprefix("-")], reverse=term.startswith("-"))
    return [record.handle for record in records]


def test_pages_of_piriod_have_all_usages_in_order(owner):
    piriod = Piriod(make.api_key(owner))
    for name, sign in itertools.product(OF_PIRIOD, ["", "-"]):
        wanted = expected(owner, f"{sign}{OF_PIRIOD[name]}")

        pages = range(1, -(-len(wanted) // 7) + 1)
        shown = [
            usage
            for page in pages
            for usage in ids(piriod("GET", f"usages/?ordering={sign}{name}&page_size=7&page={page}"))
        ]

        assert shown == wanted, f"{sign}{name}"


def test_pages_of_rebilly_have_all_usages_in_order(owner):
    rebilly = Rebilly(make.api_key(owner), mount="/rebilly")
    for name, sign, then in itertools.product(OF_REBILLY, ["", "-"], ["", "quantity"]):
        wanted = expected(owner, f"{sign}{OF_REBILLY[name]}", *filter(None, [then]))
        sort = f"{sign}{name}{',' * bool(then)}{then}"

        shown = []
        for offset in range(0, len(wanted) + 7, 7):
            page = rebilly.listed(sort=sort, limit=7, offset=offset)
            shown += [identifiers.known(identifiers.USAGE, usage["id"]) for usage in decode(page.content)]

        assert shown == wanted, sort


def test_a_page_costs_one_more_query_than_by_an_index(owner):
    rebilly = Rebilly(make.api_key(owner), mount="/rebilly")
    counts = []
    for sort in ("usageTime", "updatedTime", "-id"):
        rebilly.listed(limit=2)
        with CaptureQueriesContext(connection) as queries:
            rebilly.listed(sort=sort, limit=2)
        counts.append(len(about_rows(queries)))

    assert counts == [counts[0], counts[0] + 1, counts[0] + 1]


def test_a_page_is_full_though_what_was_near_is_taken_back_meanwhile(owner, monkeypatch):
    piriod, wanted = Piriod(make.api_key(owner)), expected(owner, "-updated")
    monkeypatch.setattr(recording_order.AllUsages, "_near", lambda self, count: Q(pk=wanted[0]))

    assert ids(piriod("GET", "usages/?ordering=-created&page_size=5")) == wanted[:5]


SPANS = [
    [("2026-07-01T03:00:00Z", "2026-07-01T09:00:00Z")],
    [("", "2026-07-01T02:00:00Z"), ("2026-07-01T15:00:00Z", "")],
]


@pytest.mark.parametrize("most", [0, 10_000])
def test_usages_are_found_by_when_the_first_of_their_records_came(owner, monkeypatch, most):
    monkeypatch.setattr(recording_order, "MOST_CORRECTED", most)
    rebilly = Rebilly(make.api_key(owner), mount="/rebilly")
    found = list(UsageRecord.objects.live().filter(workspace=owner, line__isnull=False).select_related("origin"))
    for spans, is_negated in itertools.product(SPANS, [False, True]):
        term = f"createdTime:{'!' * is_negated}{','.join('..'.join(span) for span in spans)}"

        shown = rebilly.ids(filter=term, sort="id")

        wanted = [
            record.handle
            for record in found
            if is_negated
            is not any(
                (not low or make.moment(low) <= KEYS["created"](record))
                and (not high or KEYS["created"](record) <= make.moment(high))
                for low, high in spans
            )
        ]
        assert [identifiers.known(identifiers.USAGE, usage) for usage in shown] == sorted(wanted), term
        assert wanted, term
