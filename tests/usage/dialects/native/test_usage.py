from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts, parties
from billing.contracts import Limits
from billing.models import Line
from tests import factories as make
from tests.statements import about_rows
from tests.usage.dialects.native.client import Native, wrong
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-07-16T10:15:30Z"
NOW = "2026-07-20T14:00:00Z"


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def api(line):
    return Native(line.workspace)


@pytest.fixture
def customer(line):
    return make.customer(line.workspace, "Initech", reference="cus_1", aliases=["initech"])


def test_usage_of_a_line_is_recorded_and_shown(api, line):
    response = api.post(
        "usage/",
        line=line.number,
        quantity="7.250",
        occurred_at="2026-07-16T10:15:30.5+02:00",
        key="k-1",
        note="by hand",
        properties={"region": "eu", "cost": Decimal("0.10")},
    )

    record = UsageRecord.objects.get()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/usage/{record.pk}/")
    assert response.json() == {
        "id": record.pk,
        "revision": record.pk,
        "kind": "entry",
        "is_live": True,
        "line": line.number,
        "customer": None,
        "customer_alias": None,
        "event_type": None,
        "quantity": "7.25",
        "occurred_at": "2026-07-16T08:15:30.500000Z",
        "recorded_at": NOW,
        "is_late": False,
        "key": "k-1",
        "source": "api",
        "dialect": "native",
        "recorded_by": record.recorded_by,
        "note": "by hand",
        "properties": {"region": "eu", "cost": 0.1},
    }
    assert api.get(f"usage/{record.pk}/").json() == response.json()
    assert record.properties == {"region": "eu", "cost": Decimal("0.10")}
    assert record.recorded_by.startswith("key ark_live_")


def test_event_is_recorded_and_shown(api, customer):
    response = api.post(
        "usage/", customer_alias="initech", event_type="message.sent", occurred_at=AT, properties={"length": 3}
    )

    told = response.json()
    assert response.status_code == 201
    assert (told["line"], told["quantity"], told["note"]) == (None, None, "")
    assert (told["customer"], told["customer_alias"]) == (str(customer.pk), "initech")
    assert (told["event_type"], told["properties"]) == ("message.sent", {"length": 3})
    assert told["key"] == UsageRecord.objects.get().key
    assert api.get(f"usage/{told['id']}/").json() == told


def test_a_reference_that_looks_like_an_id_names_what_has_it(api, line):
    """As of who came from a system with such ids."""
    theirs, parts = "0b0e5b1e-6d0c-4a53-9a0e-0f1f6f1f2f3f", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    type(line.subscription).objects.filter(pk=line.subscription_id).update(reference=theirs)
    type(line.brick).objects.filter(pk=line.brick_id).update(reference=parts)
    use = {"quantity": "1", "occurred_at": "2026-07-01T10:00:00Z"}
    pairs = [(theirs, parts), (str(line.subscription_id), parts), (theirs, str(line.brick_id))]

    for subscription, brick in pairs:
        assert api.post("usage/", **use, subscription=subscription, brick=brick).status_code == 201
    records = [use | {"subscription": subscription, "brick": brick} for subscription, brick in pairs]
    assert api.post("usage/batch/", records=records).json()["recorded"] == 3
    assert len(api.get(f"usage/?subscription={theirs}&brick={parts}").json()["results"]) == 6


def test_line_is_named_by_reference_or_by_its_subscription_and_brick(api, line):
    Line.objects.filter(pk=line.pk).update(reference="li_1")
    type(line.subscription).objects.filter(pk=line.subscription_id).update(reference="sub_1")
    type(line.brick).objects.filter(pk=line.brick_id).update(reference="br_1")
    names = [
        {"line": "li_1"},
        {"subscription": "sub_1", "brick": "br_1"},
        {"subscription": str(line.subscription_id), "brick": "br_1"},
        {"subscription": "sub_1", "brick": str(line.brick_id).upper()},
    ]

    replies = [api.post("usage/", **name, quantity=1, occurred_at=AT) for name in names]

    assert [reply.status_code for reply in replies] == [201] * 4
    assert {reply.json()["line"] for reply in replies} == {line.number}


WHOSE = "Give a line, or a subscription and a brick, or a customer_alias and an event_type."


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({}, {"line": WHOSE, "occurred_at": "This field is required."}),
        (
            {"line": None, "quantity": None, "occurred_at": None},
            {"line": WHOSE, "occurred_at": "This field may not be null."},
        ),
        (
            {"subscription": "s", "quantity": "1", "occurred_at": AT},
            {"brick": "This field is required."},
        ),
        ({"event_type": "t", "occurred_at": AT}, {"customer_alias": "This field is required."}),
        (
            {"line": 1, "subscription": "s", "brick": "b", "quantity": "1", "occurred_at": AT},
            {"subscription": WHOSE},
        ),
        (
            {"customer_alias": "a", "event_type": "t", "quantity": 1, "note": "x", "occurred_at": AT},
            {"quantity": "An event can't have a quantity.", "note": "An event can't have a note."},
        ),
        (
            {"line": True, "quantity": "one", "occurred_at": "now", "key": "", "note": 1, "properties": []},
            {
                "line": "A line is given by its id, an integer, or by its reference, a string.",
                "quantity": "A valid number is required.",
                "occurred_at": "Datetime has wrong format. Use one of these formats instead:"
                " YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
                "key": "This field may not be blank.",
                "note": "Not a valid string.",
                "properties": "Must be an object.",
            },
        ),
        (
            {"line": "x", "quantity": 1, "occurred_at": AT, "key": "k" * 256, "note": "n" * 501},
            {
                "key": "Ensure this field has no more than 255 characters.",
                "note": "Ensure this field has no more than 500 characters.",
            },
        ),
        ({"line": "x", "quantity": 1, "occurred_at": AT}, {"line": "There is no such line."}),
        ({"line": 10**30, "quantity": 1, "occurred_at": AT}, {"line": "There is no such line."}),
        ({"line": Decimal("1.5"), "quantity": 1, "occurred_at": AT}, {"line": "There is no such line."}),
        ({"line": 2**53 - 1, "quantity": 1, "occurred_at": AT}, {"line": "There is no such line."}),
        (
            {"subscription": "s", "brick": "b", "quantity": 1, "occurred_at": AT},
            {"subscription": "There is no such subscription."},
        ),
    ],
)
def test_everything_wrong_is_named(api, sent, errors):
    assert wrong(api("POST", "usage/", sent)) == (422, errors)
    assert not UsageRecord.objects.exists()


@pytest.mark.parametrize(
    ("details", "errors"),
    [
        ({"quantity": "1e15"}, {"quantity": "A valid number is required."}),
        (
            {"quantity": 10**15},
            {"quantity": "Ensure that there are no more than 15 digits before the decimal point."},
        ),
        (
            {"quantity": 1, "occurred_at": "2020-01-01T00:00:00Z"},
            {"occurred_at": "The line was not active then, only from 2026-01-01T00:00:00+00:00."},
        ),
        ({"quantity": 11}, {"quantity": "The limit of this line leaves 10 in the period."}),
    ],
)
def test_what_the_ledger_refuses_is_named(api, line, details, errors):
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)

    assert wrong(api.post("usage/", **{"line": line.number, "occurred_at": AT, **details})) == (422, errors)


def test_repeated_key_is_refused_and_told_what_has_it(api, line):
    first = api.post("usage/", line=line.number, quantity=1, occurred_at=AT, key="k-1").json()

    again = api.post("usage/", line=line.number, quantity=2, occurred_at=AT, key="k-1")

    assert wrong(again) == (409, {"key": "Usage with this id was already recorded."})
    assert again.json()["record"] == first["id"]
    assert UsageRecord.objects.get().quantity == 1


def test_request_with_an_idempotency_key_is_answered_once(line):
    api = Native(line.workspace, **{"idempotency-key": "i-1"})

    replies = [api.post("usage/", line=line.number, quantity=1, occurred_at=AT) for _ in range(2)]

    assert replies[0].json() == replies[1].json()
    assert UsageRecord.objects.count() == 1
    assert wrong(api.post("usage/", line=line.number, quantity=2, occurred_at=AT))[0] == 422


def test_record_is_corrected_and_keeps_its_id(api, line):
    first = api.post("usage/", line=line.number, quantity=1, occurred_at=AT, key="k", properties={"a": 1}).json()

    second = api.patch(f"usage/{first['id']}/", quantity="2.5", note="typing error").json()
    third = api.patch(f"usage/{first['id']}/", occurred_at="2026-07-17T00:00:00Z", properties=None).json()

    assert second == {
        **first,
        "revision": second["revision"],
        "kind": "correction",
        "quantity": "2.5",
        "note": "typing error",
    }
    assert first["revision"] < second["revision"] < third["revision"]
    assert (third["quantity"], third["properties"], third["note"]) == ("2.5", None, "")
    assert api.get(f"usage/{first['id']}/").json() == third
    assert [row["revision"] for row in api.get("usage/?state=all").json()["results"]] == [
        third["revision"],
        second["revision"],
        first["revision"],
    ]
    assert [row["is_live"] for row in api.get("usage/?state=all").json()["results"]] == [True, False, False]


def test_event_is_corrected(api, customer):
    first = api.post("usage/", customer_alias="initech", event_type="sent", occurred_at=AT, properties={"n": 1}).json()

    corrected = api.patch(f"usage/{first['id']}/", properties={"n": 2})

    assert (corrected.status_code, corrected.json()["properties"]) == (200, {"n": 2})
    assert wrong(api.patch(f"usage/{first['id']}/", quantity=1)) == (
        422,
        {"quantity": "An event has no quantity: correct its properties."},
    )


@pytest.mark.parametrize(
    ("sent", "status", "errors"),
    [
        ({}, 422, {}),
        ({"note": "nothing"}, 422, {}),
        ({"quantity": None}, 422, {"quantity": "This field may not be null."}),
        (
            {"quantity": "x", "properties": 1},
            422,
            {"quantity": "A valid number is required.", "properties": "Must be an object."},
        ),
    ],
)
def test_correction_says_what_changes(api, line, sent, status, errors):
    record = make.use(line, "1", "2026-07-16", dialect="native")

    assert wrong(api("PATCH", f"usage/{record.handle}/", sent)) == (status, errors)


def test_record_is_taken_back_and_its_key_stays_taken(api, line):
    first = api.post("usage/", line=line.number, quantity=1, occurred_at=AT, key="k").json()

    assert api("DELETE", f"usage/{first['id']}/").status_code == 204

    assert api.get(f"usage/{first['id']}/").status_code == 404
    assert api("DELETE", f"usage/{first['id']}/").status_code == 404
    assert api.patch(f"usage/{first['id']}/", quantity=1).status_code == 404
    assert wrong(api.post("usage/", line=line.number, quantity=1, occurred_at=AT, key="k"))[0] == 409
    kinds = [(row["kind"], row["is_live"]) for row in api.get("usage/?state=all").json()["results"]]
    assert kinds == [("retraction", False), ("entry", False)]


def test_event_is_taken_back(api, customer):
    event = make.event(customer.workspace, "initech", "2026-07-16")

    assert api("DELETE", f"usage/{event.handle}/").status_code == 204

    assert not UsageRecord.objects.live().exists()


@pytest.mark.parametrize("name", ["0", "-1", "x", "1.0", "٣", "9" * 19, "9" * 30])
def test_what_is_no_record_is_not_found(api, name):
    assert api.get(f"usage/{name}/").status_code == 404


def test_list_is_paged_newest_first(api, line):
    ids = [make.use(line, str(n), "2026-07-16").id for n in range(5)]

    first = api.get("usage/?page_size=2").json()
    second = api.get(first["next"].partition("/api/")[2]).json()

    assert [row["id"] for row in first["results"] + second["results"]] == ids[:0:-1]
    assert (first["previous"], second["next"] is None) == (None, False)


@pytest.fixture
def variety(line, customer):
    """A ledger with something for every filter, each record known by its key."""
    workspace = line.workspace
    seats = make.brick(workspace, "Seats", "unit_days", reference="br_seats")
    theirs = contracts.add_line(
        subscription=make.subscription(customer, reference="sub_2"),
        brick=seats,
        price=make.price(seats),
        reference="li_2",
        actor=make.ACTOR,
    )
    make.use(line, "1", "2026-07-01", key="first", recorded_at="2026-07-02")
    make.use(line, "2", "2026-07-03", key="file", source="file", dialect="import", recorded_at="2026-07-04")
    make.use(theirs, "3", "2026-07-05", key="seats", dialect="rebilly", recorded_at="2026-07-06")
    make.event(workspace, "initech", "2026-07-07", key="event", recorded_at="2026-07-08")
    make.event(workspace, "nobody", "2026-07-09", key="waiting", event_type="other", recorded_at="2026-07-10")
    make.take_back(make.use(line, "4", "2026-07-11", key="gone", recorded_at="2026-07-12"))
    return theirs


def test_a_number_with_zeros_before_it_is_a_reference_alone(api, line):
    brick = make.brick(line.workspace, "Seats")
    other = contracts.add_line(
        subscription=line.subscription,
        brick=brick,
        price=make.price(brick),
        reference=f"00{line.number}",
        actor=make.ACTOR,
    )
    make.use(line, "1", "2026-07-01", key="by number")
    make.use(other, "2", "2026-07-02", key="by reference")

    for name, keys in ((f"00{line.number}", ["by reference"]), (f"0{line.number}", []), (line.number, ["by number"])):
        assert [row["key"] for row in api.get(f"usage/?line={name}").json()["results"]] == keys


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", ["waiting", "event", "seats", "file", "first"]),
        ("state=all", ["gone", "gone", "waiting", "event", "seats", "file", "first"]),
        ("line={line.number}", ["file", "first"]),
        ("line=li_2", ["seats"]),
        ("line=li_3", []),
        ("subscription=sub_2", ["seats"]),
        ("subscription={line.subscription_id}", ["file", "first"]),
        ("brick=br_seats", ["seats"]),
        ("brick={line.brick_id}", ["file", "first"]),
        ("customer=cus_1", ["event", "seats"]),
        ("customer={line.subscription.customer_id}", ["file", "first"]),
        ("customer_alias=nobody", ["waiting"]),
        ("event_type=other", ["waiting"]),
        ("unmatched=true", ["waiting"]),
        ("unmatched=false", ["event", "seats", "file", "first"]),
        ("occurred_from=2026-07-07T00:00:00Z", ["waiting", "event"]),
        ("occurred_before=2026-07-03T00:00:00Z", ["first"]),
        ("recorded_from=2026-07-10T00:00:00Z", ["waiting"]),
        ("recorded_before=2026-07-04T00:00:00Z", ["first"]),
        ("source=file", ["file"]),
        ("dialect=rebilly", ["seats"]),
        ("key=event", ["event"]),
        ("key=first&source=file", []),
    ],
)
def test_list_is_filtered(api, line, variety, query, keys):
    found = api.get(f"usage/?{query.format(line=line)}").json()["results"]

    assert [row["key"] for row in found] == keys


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("source=mail", "source"),
        ("unmatched=maybe", "unmatched"),
        ("occurred_from=yesterday", "occurred_from"),
        ("state=dead", "state"),
        ("colour=blue", "colour"),
        ("line=", "line"),
        ("key=%00", "key"),
    ],
)
def test_bad_filter_is_named(api, query, field):
    status, errors = wrong(api.get(f"usage/?{query}"))

    assert (status, list(errors)) == (422, [field])


def test_list_takes_as_many_queries_for_many_records(api, line, variety):
    api.get("usage/")
    for n in range(20):
        make.use(line, str(n), "2026-07-16")

    with CaptureQueriesContext(connection) as all_records:
        api.get("usage/")
    with CaptureQueriesContext(connection) as of_customer:
        api.get("usage/?customer=cus_1")

    assert len(about_rows(all_records)) == 1
    # The customer, the lines, whether they have few records, the page.
    assert len(about_rows(of_customer)) == 4


def test_a_match_shows_whose_the_event_is(api, customer):
    waiting = api.post("usage/", customer_alias="later", event_type="sent", occurred_at=AT).json()
    parties.add_alias(customer=customer, value="later", actor=make.ACTOR)

    matched = api.get(f"usage/{waiting['id']}/").json()

    assert (waiting["customer"], matched["customer"]) == (None, str(customer.pk))
    assert (matched["id"], matched["kind"]) == (waiting["id"], "match")


def test_another_workspaces_names_are_as_absent_as_any(api):
    theirs = make.line(make.workspace("other"))
    Line.objects.filter(pk=theirs.pk).update(reference="li_1")
    make.use(theirs, "1", "2026-07-16")

    assert wrong(api.post("usage/", line="li_1", quantity=1, occurred_at=AT)) == (
        422,
        {"line": "There is no such line."},
    )
    assert api.get("usage/").json()["results"] == []
    assert api.get(f"usage/?line={theirs.pk}").json()["results"] == []


FUTURE = "This is more than 24 hours ahead."


@pytest.mark.bound("USAGE_AHEAD_HOURS")
def test_usage_dated_in_the_future_is_refused_naming_the_field(api, line):
    """The clock of these tests stands at 2026-07-20 14:00 UTC."""
    in_time = api.post("usage/", line=line.number, quantity=1, occurred_at="2026-07-21T14:00:00Z")
    ahead = api.post("usage/", line=line.number, quantity=1, occurred_at="2026-07-21T14:00:01Z")
    event = api.post("usage/", customer_alias="a", event_type="b", occurred_at="2062-01-01T00:00:00Z")

    assert in_time.status_code == 201
    assert wrong(ahead) == wrong(event) == (422, {"occurred_at": FUTURE})
    assert UsageRecord.objects.count() == 1


def test_in_a_batch_only_the_records_dated_in_the_future_are_refused(api, line):
    moments = ("2026-07-20T00:00:00Z", "2062-01-01T00:00:00Z")
    sent = [{"line": line.number, "quantity": 1, "occurred_at": at} for at in moments]

    told = api.post("usage/batch/", records=sent).json()

    assert (told["recorded"], told["refused"]) == (1, 1)
    assert told["results"][1]["errors"] == [{"field": "occurred_at", "message": FUTURE}]


def test_a_correction_does_not_move_usage_into_the_future(api, line):
    record = make.use(line, "1", "2026-07-10")

    response = api.patch(f"usage/{record.handle}/", occurred_at="2062-01-01T00:00:00Z")

    assert wrong(response) == (422, {"occurred_at": FUTURE})
    assert UsageRecord.objects.count() == 1
