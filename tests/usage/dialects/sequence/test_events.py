"""Sequence: events reported, superseded by their own id and voided."""

import uuid
from decimal import Decimal

import pytest
import time_machine
from django.core.cache import cache

from billing import parties
from billing.keys import forget_trusted
from billing.models import ApiKey
from tests import factories as make
from tests.usage.dialects.sequence.client import Sequence, basic, refused, wrong
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NO_MOMENT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
# As the vendor shows it.
EXAMPLE = {
    "customerEventId": "event-id-H4twuTWpYx1rkd8OMTki2hTUcZ",
    "customerAlias": "customer-id-2H4u5BBwBWsS5V2sroRFqJfTXpW",
    "eventType": "message-sent",
    "eventTimestamp": "2022-10-01T00:00:00Z",
    "eventProperties": {"length": 500, "type": "text_message"},
}


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def customer(workspace):
    return parties.create_customer(
        workspace=workspace, name="Globex", reference="G-1", aliases=["globex"], actor=make.ACTOR
    )


@pytest.fixture
def sequence(workspace, customer):
    return Sequence(workspace)


def test_the_vendors_example_is_taken_and_told_back(sequence, workspace):
    response = sequence("POST", "usage-events", EXAMPLE)

    record = UsageRecord.objects.get()
    told = response.json()
    assert response.status_code == 201
    assert told == {"id": told["id"], "sequenceAccountId": "acme", **EXAMPLE}
    assert (record.workspace_id, record.line_id, record.customer_id) == (workspace.pk, None, None)
    assert (record.customer_alias, record.event_type, record.key) == (
        "customer-id-2H4u5BBwBWsS5V2sroRFqJfTXpW",
        "message-sent",
        "event-id-H4twuTWpYx1rkd8OMTki2hTUcZ",
    )
    assert (record.occurred_at, record.recorded_at) == (make.moment("2022-10-01"), make.moment("2026-07-20 14:00"))
    assert record.properties == {"length": 500, "type": "text_message"}
    assert (record.source, record.dialect) == ("api", "sequence")


def test_an_event_needs_no_more_than_an_alias_and_a_type(sequence):
    told = sequence("POST", "usage-events", {"customerAlias": "globex", "eventType": "login"}).json()

    record = UsageRecord.objects.get()
    assert record.occurred_at == record.recorded_at == make.moment("2026-07-20 14:00")
    assert told["eventTimestamp"] == "2026-07-20T14:00:00Z"
    assert told["eventProperties"] == {}
    assert told["customerEventId"] == record.key


def test_what_is_null_is_as_good_as_absent(sequence):
    nothing = {"customerEventId": None, "eventTimestamp": None, "eventProperties": None}
    told = sequence.report(**nothing).json()

    assert told["customerEventId"]
    assert (told["eventTimestamp"], told["eventProperties"]) == ("2026-07-20T14:00:00Z", {})


def test_an_id_is_a_uuid_of_the_seventh_version_that_sorts_by_the_time_of_receipt(sequence):
    ids = []
    for now in ("2026-07-20T14:00:00Z", "2026-07-20T14:00:00.001Z", "2026-07-20T15:00:00Z"):
        with time_machine.travel(now, tick=False):
            ids.append(uuid.UUID(sequence.report().json()["id"]))

    assert {made.version for made in ids} == {7}
    assert {made.variant for made in ids} == {uuid.RFC_4122}
    assert [made.int >> 80 for made in ids] == [1784556000000, 1784556000001, 1784559600000]
    assert sorted(ids) == ids


@pytest.mark.parametrize("alias", ["globex", "G-1", "id"])
def test_an_alias_is_one_or_a_customers_id_or_reference(sequence, customer, alias):
    sequence.report(str(customer.pk) if alias == "id" else alias)

    assert UsageRecord.objects.get().customer == customer


@pytest.mark.parametrize("alias", ["Globex", "GLOBEX", " globex", "globex ", "nobody"])
def test_an_alias_that_nobody_has_is_accepted_and_waits(sequence, alias):
    response = sequence.report(alias)

    assert (response.status_code, response.json()["customerAlias"]) == (201, alias)
    assert UsageRecord.objects.get().customer is None


def test_an_event_with_the_same_id_supersedes_the_former_which_stays(sequence):
    first = sequence.report(customerEventId="E-1", eventProperties={"length": 500}).json()
    second = sequence.report(customerEventId="E-1", eventProperties={"length": 20}).json()

    assert first["id"] != second["id"]
    assert [record.properties for record in UsageRecord.objects.live()] == [{"length": 20}]
    assert sequence.events() == [second, first]


def test_the_last_received_counts_whatever_its_time(sequence):
    sequence.report(customerEventId="E-1", eventTimestamp="2026-07-15T00:00:00Z")
    sequence.report(customerEventId="E-1", eventTimestamp="2026-07-10T00:00:00Z")

    assert [record.occurred_at for record in UsageRecord.objects.live()] == [make.moment("2026-07-10")]


def test_the_same_request_twice_without_an_id_is_two_events(sequence):
    first, second = sequence.report().json(), sequence.report().json()

    assert first["customerEventId"] != second["customerEventId"]
    assert UsageRecord.objects.live().count() == 2


def test_an_id_that_was_made_may_be_sent_back(sequence):
    made = sequence.report().json()["customerEventId"]
    sequence.report(customerEventId=made, eventType="message-read")

    assert [record.event_type for record in UsageRecord.objects.live()] == ["message-read"]


def test_the_alias_void_takes_an_event_back_and_is_nobodys(sequence, customer):
    sequence.report(customerEventId="E-1")
    voided = sequence.report("VOID", customerEventId="E-1")

    assert voided.status_code == 201
    assert [(record.customer_alias, record.customer) for record in UsageRecord.objects.live()] == [("VOID", None)]


def test_another_workspace_has_ids_of_its_own(sequence):
    theirs = Sequence(make.workspace("other"))
    sequence.report(customerEventId="E-1")
    theirs.report(customerEventId="E-1")

    assert list(UsageRecord.objects.live().values_list("workspace__code", "customer__name")) == [
        ("acme", "Globex"),
        ("other", None),
    ]


@pytest.mark.parametrize(
    ("sent", "in_utc", "told"),
    [
        ("2026-07-15T12:00:00+02:00", "2026-07-15 10:00", "2026-07-15T10:00:00Z"),
        ("2026-07-15T12:00:00", "2026-07-15 12:00", "2026-07-15T12:00:00Z"),
        ("2026-07-15 12:00:00.25Z", "2026-07-15 12:00:00.25", "2026-07-15T12:00:00.250000Z"),
        ("2030-01-01T00:00:00Z", "2030-01-01", "2030-01-01T00:00:00Z"),
    ],
)
def test_times_are_told_in_utc_and_are_so_without_an_offset(sequence, sent, in_utc, told):
    response = sequence.report(eventTimestamp=sent)

    assert response.json()["eventTimestamp"] == told
    assert UsageRecord.objects.get().occurred_at == make.moment(in_utc)


def test_properties_come_back_digit_for_digit(sequence):
    text = '{"a":0.10,"b":123456789012345678901234567890.5,"c":[{"d":null}],"ü":"\U0001f600"}'
    body = f'{{"customerAlias":"globex","eventType":"t","eventProperties":{text}}}'

    posted = sequence("POST", "usage-events", body)
    listed = sequence("GET", "usage-events")

    assert f'"eventProperties":{text}' in posted.content.decode()
    assert UsageRecord.objects.get().properties["a"] == Decimal("0.10")
    assert '"b":123456789012345678901234567890.5,"c":[{"d":null}],"ü":"\U0001f600"' in listed.content.decode()


TOO_LONG = "Ensure this field has no more than 255 characters."


@pytest.mark.parametrize(
    ("field", "sent", "message"),
    [
        ("customerAlias", None, "This field may not be null."),
        ("customerAlias", "", "This field may not be blank."),
        ("customerAlias", ["globex"], "Not a valid string."),
        ("customerAlias", "x" * 256, TOO_LONG),
        ("eventType", None, "This field may not be null."),
        ("eventType", "", "This field may not be blank."),
        ("eventType", {"a": 1}, "Not a valid string."),
        ("eventType", "x" * 256, TOO_LONG),
        ("customerEventId", "", "This field may not be blank."),
        ("customerEventId", True, "Not a valid string."),
        ("customerEventId", "x" * 256, TOO_LONG),
        ("eventTimestamp", "yesterday", NO_MOMENT),
        ("eventTimestamp", "", NO_MOMENT),
        ("eventTimestamp", "2026-07-20", NO_MOMENT),
        ("eventTimestamp", 1784556000, f"{NO_MOMENT} Numbers of seconds or milliseconds are not accepted."),
        ("eventTimestamp", "9999-12-31T23:59:59Z", "Datetime is out of range."),
        ("eventProperties", [], "Expected an object."),
        ("eventProperties", "a", "Expected an object."),
        (
            "eventProperties",
            {"a": Decimal("1e2000")},
            "These properties are nested too deeply, or contain a number with too many digits.",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_field_is_named_and_changes_nothing(sequence, field, sent, message):
    response = sequence.report(**{field: sent})

    assert (response.status_code, response.json()) == (400, wrong(**{field: message}))
    assert UsageRecord.objects.count() == 0


def test_every_missing_field_is_named(sequence):
    response = sequence("POST", "usage-events", {})

    assert response.status_code == 400
    assert response.json() == wrong(customerAlias="This field is required.", eventType="This field is required.")


@pytest.mark.parametrize("version", ["2024-07-30", "latest", ""])
def test_the_version_that_is_spoken_may_be_named(workspace, version):
    assert Sequence(workspace, sequence_version=version).report().status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_version_is_refused(workspace, method):
    response = Sequence(workspace, sequence_version="2024-05-09")(method, "usage-events")

    assert response.status_code == 400
    assert response.json() == wrong(Sequence__Version="Unknown version “2024-05-09”. Use 2024-07-30 or latest.")


def test_a_bad_key_is_told_before_a_bad_version(workspace):
    response = Sequence(workspace, "of-nobody-at-all", sequence_version="1")("GET", "usage-events")

    assert (response.status_code, response.json()) == (401, refused("Unauthorized"))


@pytest.mark.parametrize(
    "credentials",
    [
        lambda key: basic(key),
        lambda key: basic(key, ""),
        lambda key: basic("", key),
        lambda key: basic(key).replace("Basic", "basic"),
        lambda key: basic(key).replace(" ", "   "),
    ],
    ids=["both", "no id", "no secret", "lower case", "spaces"],
)
def test_the_secret_is_the_key_or_the_id_where_there_is_none(workspace, credentials):
    key = make.api_key(workspace)
    sequence = Sequence(workspace)
    sequence.headers["authorization"] = credentials(key)

    assert sequence("GET", "usage-events").status_code == 200


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("", "Authentication credentials were not provided."),
        ("Bearer x", "Authentication credentials were not provided."),
        ("Basic", "Unauthorized"),
        ("Basic !", "Unauthorized"),
        ("Basic ä", "Unauthorized"),
        ("Basic /w==", "Unauthorized"),
        ("Basic Og==", "Unauthorized"),
        (basic("of-nobody-at-all"), "Unauthorized"),
    ],
)
def test_other_credentials_are_refused(sequence, authorization, message):
    sequence.headers["authorization"] = authorization

    response = sequence("GET", "usage-events")

    assert (response.status_code, response.json()) == (401, refused(message))
    assert response.headers["WWW-Authenticate"] == "Basic"


def test_beyond_its_rate_a_key_is_told_when_to_come_back(sequence):
    cache.clear()
    ApiKey.objects.update(requests_per_minute=1)
    sequence.report()

    response = sequence.report()

    assert (response.status_code, response.json()) == (429, refused("Too many requests. Try again in a moment."))
    assert response.headers["Retry-After"] == "60"
    assert UsageRecord.objects.count() == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_events_are_neither_edited_nor_deleted(sequence, method):
    response = sequence(method, "usage-events", {})

    assert (response.status_code, response.json()) == (405, refused(f'Method "{method}" not allowed.'))


@pytest.mark.parametrize("fields", [{}, {"customerEventId": "new"}])
def test_a_report_takes_one_query_for_the_key_and_one_insert(sequence, fields, django_assert_num_queries):
    sequence.report()
    forget_trusted()

    with django_assert_num_queries(2) as queries:
        sequence.report(**fields)

    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "INSERT"]
