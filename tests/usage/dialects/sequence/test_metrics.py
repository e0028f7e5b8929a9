"""Sequence: usage metrics created, changed, deleted and calculated."""

import uuid
from typing import Any

import pytest
import time_machine

from billing import contracts, parties
from billing.keys import forget_trusted
from billing.models import Brick, EventRule
from billing.storage.jsontext import decode
from tests import factories as make
from tests.usage.dialects.sequence.client import NOT_FOUND, Sequence, refused, wrong

pytestmark = pytest.mark.django_db

# As the vendor shows it, but for the kind and the grouping.
EXAMPLE = {
    "name": "Total length of sent messages.",
    "description": "Total length of sent messages.",
    "metricType": "SIMPLE",
    "eventType": "message_sent",
    "aggregationType": "COUNT",
    "aggregationProperty": "message_length",
    "groupingProperty": None,
    "unit": "bytes",
    "propertyFilters": {"channels": ["text", "email"]},
    "caseSensitive": True,
    "propertiesToNegate": ["channels"],
}


PLAIN = {"name": "Other", "metricType": "SIMPLE", "eventType": "other", "aggregationType": "COUNT"}


@pytest.fixture
def workspace():
    return make.workspace(time_zone="America/New_York")


@pytest.fixture
def customer(workspace):
    return parties.create_customer(
        workspace=workspace, name="Globex", reference="G-1", aliases=["globex", "a,b"], actor=make.ACTOR
    )


@pytest.fixture
def sequence(workspace, customer):
    return Sequence(workspace)


def names(sequence: Sequence, query: str = "") -> list[str]:
    return [metric["name"] for metric in sequence("GET", f"usage-metrics{query}").json()["items"]]


def test_the_vendors_example_is_made_and_told_back(sequence, workspace):
    response = sequence("POST", "usage-metrics", EXAMPLE)

    brick = Brick.objects.get()
    told = response.json()
    assert response.status_code == 201
    assert told == {
        "id": str(brick.pk),
        "sequenceAccountId": "acme",
        "createdAt": told["createdAt"],
        "deletedAt": None,
        "parameters": [],
        **EXAMPLE,
    }
    assert (brick.workspace, brick.aggregation, brick.unit_label) == (workspace, "events", "bytes")
    rule = brick.event_rules.get()
    assert (rule.event_type, rule.aggregation, rule.property) == ("message_sent", "count", "message_length")
    assert (rule.filters, rule.negated, rule.is_case_sensitive) == (
        {"channels": ["text", "email"]},
        ["channels"],
        True,
    )
    assert sequence("GET", f"usage-metrics/{brick.pk}").json() == told


def test_a_metric_needs_a_name_a_type_and_an_aggregation(sequence):
    told = sequence.metric().json()

    assert {name: told[name] for name in EXAMPLE} == {
        "name": "Messages",
        "description": None,
        "metricType": "SIMPLE",
        "eventType": "message-sent",
        "aggregationType": "COUNT",
        "aggregationProperty": None,
        "groupingProperty": None,
        "unit": "units",
        "propertyFilters": {},
        "caseSensitive": True,
        "propertiesToNegate": [],
    }


def test_filters_are_texts_and_numbers_the_texts_of_their_digits(sequence):
    told = sequence.metric(propertyFilters={"a": ["1.50", True, 500]}).json()
    by_text = sequence("POST", "usage-metrics", sent_with('{"a": [1.50, 1e3, 0.0, -2.0]}')).json()

    assert told["propertyFilters"] == {"a": ["1.50", "true", "500"]}
    assert by_text["propertyFilters"] == {"a": ["1.5", "1000", "0", "-2"]}


def sent_with(filters: str) -> str:
    return (
        '{"name": "n", "metricType": "SIMPLE", "eventType": "t", "aggregationType": "COUNT", '
        f'"propertyFilters": {filters}}}'
    )


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"name": ""}, {"name": "This field may not be blank."}),
        ({"name": "x" * 201}, {"name": "Ensure this field has no more than 200 characters."}),
        ({"eventType": None}, {"eventType": "This field may not be null."}),
        ({"metricType": "DOUBLE"}, {"metricType": '"DOUBLE" is not a valid choice.'}),
        (
            {"metricType": "GROUPED"},
            {"metricType": "Grouping is not supported: a metric has one quantity. Use SIMPLE."},
        ),
        (
            {"groupingProperty": "channel"},
            {"groupingProperty": "Grouping is not supported: a metric has one quantity."},
        ),
        (
            {"aggregationType": "CUSTOM"},
            {"aggregationType": "Custom aggregations are not supported. Use COUNT, SUM or UNIQUE."},
        ),
        ({"aggregationType": "count"}, {"aggregationType": '"count" is not a valid choice.'}),
        ({"aggregationType": "SUM"}, {"aggregationProperty": "This aggregation requires a property."}),
        (
            {"aggregationType": "UNIQUE", "aggregationProperty": ""},
            {"aggregationProperty": "This aggregation requires a property."},
        ),
        ({"unit": "x" * 41}, {"unit": "Ensure this field has no more than 40 characters."}),
        ({"description": 7.5}, {"description": "Not a valid string."}),
        ({"propertyFilters": []}, {"propertyFilters": "Expected an object."}),
        (
            {"propertyFilters": {"a": "b"}},
            {"propertyFilters": "Each property requires a list of texts, numbers or booleans."},
        ),
        (
            {"propertyFilters": {"a": [None]}},
            {"propertyFilters": "Each property requires a list of texts, numbers or booleans."},
        ),
        (
            {"propertyFilters": {"a": []}},
            {"propertyFilters": "A filter maps the name of a property to a list of at least one text."},
        ),
        (
            {"propertyFilters": {f"p{n}": ["x"] for n in range(21)}},
            {"propertyFilters": "A rule has at most 20 filters, not 21."},
        ),
        (
            {"propertyFilters": {"a": list(range(101))}},
            {"propertyFilters": "A filter has at most 100 values, not 101."},
        ),
        ({"propertyFilters": {"a": ["x" * 256]}}, {"propertyFilters": "A filter's value has at most 255 characters."}),
        ({"propertiesToNegate": "a"}, {"propertiesToNegate": "Expected a list of texts."}),
        ({"propertiesToNegate": ["a"]}, {"propertiesToNegate": "Only properties with a filter can be negated."}),
        ({"caseSensitive": "perhaps"}, {"caseSensitive": "Must be a valid boolean."}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_field_is_named_and_changes_nothing(sequence, fields, messages):
    made = sequence.metric().json()

    posted = sequence.metric(**fields)
    put = sequence("PUT", f"usage-metrics/{made['id']}", {**PLAIN, **fields})

    assert (posted.status_code, posted.json()) == (400, wrong(**messages))
    assert (put.status_code, put.json()) == (400, wrong(**messages))
    assert (Brick.objects.count(), EventRule.objects.count()) == (1, 1)
    assert sequence("GET", f"usage-metrics/{made['id']}").json() == made


def test_a_number_too_long_for_a_filter_is_refused(sequence):
    response = sequence("POST", "usage-metrics", sent_with('{"a": [1e999999999]}'))

    assert response.json() == wrong(propertyFilters="Each property requires a list of texts, numbers or booleans.")


def test_every_missing_field_is_named(sequence):
    response = sequence("POST", "usage-metrics", {})

    required = dict.fromkeys(["name", "metricType", "eventType", "aggregationType"], "This field is required.")
    assert (response.status_code, response.json()) == (400, wrong(**required))


def test_a_change_replaces_the_rule_and_keeps_the_former(sequence):
    made = sequence.metric().json()

    changed = sequence("PUT", f"usage-metrics/{made['id']}", EXAMPLE)

    assert changed.status_code == 200
    assert changed.json() == {**made, **EXAMPLE}
    assert sequence("GET", f"usage-metrics/{made['id']}").json() == changed.json()
    assert list(EventRule.objects.order_by("id").values_list("event_type", "replaced_at")) == [
        ("message-sent", make.moment("2026-07-20 14:00")),
        ("message_sent", None),
    ]


def test_a_deleted_metric_is_shown_as_such_but_neither_listed_nor_changed(sequence):
    made = sequence.metric().json()

    deleted = sequence("DELETE", f"usage-metrics/{made['id']}")

    assert (deleted.status_code, deleted.json()) == (200, {**made, "deletedAt": "2026-07-20T14:00:00Z"})
    assert sequence("GET", f"usage-metrics/{made['id']}").json() == deleted.json()
    assert names(sequence) == []
    for method in ("PUT", "DELETE"):
        again = sequence(method, f"usage-metrics/{made['id']}", EXAMPLE)
        assert (again.status_code, again.json()) == (404, NOT_FOUND)


def test_a_metric_that_subscriptions_are_billed_by_is_not_deleted(sequence, customer):
    made = sequence.metric().json()
    brick = Brick.objects.get()
    line = contracts.add_line(
        subscription=make.subscription(customer), brick=brick, price=make.price(brick), actor=make.ACTOR
    )

    kept = sequence("DELETE", f"usage-metrics/{made['id']}")
    contracts.end_line(line=line, ends_at=make.moment("2026-07-20", tz="America/New_York"), actor=make.ACTOR)
    deleted = sequence("DELETE", f"usage-metrics/{made['id']}")

    assert (kept.status_code, kept.json()) == (
        400,
        refused("Subscriptions use this metric: end their lines first."),
    )
    assert deleted.status_code == 200


@pytest.mark.parametrize("told", ["1", "x", "00000000-0000-0000-0000-000000000000", "%00", "{theirs}", "{counter}"])
@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/calculate")])
def test_an_id_that_no_metric_of_the_workspace_has_is_not_found(sequence, workspace, told, method, below):
    theirs = Sequence(make.workspace("other")).metric().json()["id"]
    counter = make.brick(workspace).pk

    path = f"usage-metrics/{told.format(theirs=theirs, counter=counter)}{below}"
    response = sequence(method, path, EXAMPLE if method == "PUT" else None)

    assert (response.status_code, response.json()) == (404, NOT_FOUND)
    assert EventRule.objects.count() == 1


@pytest.fixture
def four(sequence):
    sequence.metric(name="Messages")
    sequence.metric(name="Length", aggregationType="SUM", aggregationProperty="length")
    sequence.metric(name="Channels", aggregationType="UNIQUE", aggregationProperty="channel")
    return sequence.metric(name="Logins, logouts", eventType="in,out").json()["id"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Logins, logouts", "Channels", "Length", "Messages"]),
        ("name=LENGTH", ["Length"]),
        ("name=%25", []),
        ("eventType=message-sent", ["Channels", "Length", "Messages"]),
        ("eventType=message-sent,in%252Cout", ["Logins, logouts", "Channels", "Length", "Messages"]),
        ("eventType=in,out", []),
        ("eventProperty=length,channel", ["Channels", "Length"]),
        ("aggregationType=SUM", ["Length"]),
        ("aggregationType=SUM,COUNT", ["Logins, logouts", "Length", "Messages"]),
        ("aggregationType=CUSTOM", []),
        ("id={id}", ["Logins, logouts"]),
        ("id=0000000-0000", []),
        ("limit=&before=&aggregationType=SUM", ["Length"]),
    ],
)
def test_metrics_are_listed_newest_first_and_filtered(sequence, four, query, found):
    assert names(sequence, "?" + query.format(id=four[3:20].upper())) == found


def test_metrics_keep_their_places_when_they_are_changed(sequence, four):
    first = sequence("GET", "usage-metrics?limit=2").json()
    for metric in first["items"]:
        sequence("PUT", f"usage-metrics/{metric['id']}", {**metric, "name": f"{metric['name']}!"})

    rest = sequence("GET", f"usage-metrics?limit=2&after={first['pagination']['after']}").json()
    back = sequence("GET", f"usage-metrics?limit=2&before={rest['pagination']['before']}").json()

    assert [metric["name"] for metric in rest["items"]] == ["Length", "Messages"]
    assert [metric["name"] for metric in back["items"]] == ["Logins, logouts!", "Channels!"]
    assert (set(rest["pagination"]), set(back["pagination"])) == ({"before"}, {"after"})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=101", "Ensure this value is less than or equal to 100."),
        ("after=x", "Invalid cursor."),
        ("name=%00", "Null characters are not allowed."),
        ("eventType=,", "An empty value is not accepted."),
        ("eventType=%2C%2C", "An empty value is not accepted."),
        ("aggregationType=,", "An empty value is not accepted."),
        ("eventType=in,", "An empty value is not accepted."),
        ("eventType=%2500", "Give at most 100 texts of at most 255 characters."),
        ("aggregationType=SUM,AVERAGE", "“AVERAGE” is not a valid choice."),
    ],
)
def test_a_bad_parameter_of_the_list_is_named(sequence, query, message):
    response = sequence("GET", f"usage-metrics?{query}")

    assert (response.status_code, response.json()) == (400, wrong(**{query.partition("=")[0]: message}))


def test_metrics_of_other_workspaces_are_not_listed(sequence):
    Sequence(make.workspace("other")).metric()

    assert names(sequence) == []


@pytest.mark.parametrize("metrics", [1, 3])
def test_a_list_takes_one_query_beside_the_keys(sequence, metrics, django_assert_num_queries):
    for _ in range(metrics):
        sequence.metric()
    forget_trusted()

    with django_assert_num_queries(2):
        assert len(names(sequence, "?after=OTk5OTk5OTk5")) == metrics


# Four messages of Globex in July, New York's: of 150.035 letters in all, by three channels; and one in August.
MESSAGES = [
    ("2026-07-01T04:00:00Z", {"length": 100, "channel": "sms"}),
    ("2026-07-10T12:00:00Z", {"length": "0.035", "channel": "mail"}),
    ("2026-07-10T13:00:00Z", {"length": 50, "channel": "sms"}),
    ("2026-08-01T03:59:59.999999Z", {"length": "many", "channel": "Mail"}),
    ("2026-08-01T04:00:00Z", {"length": 1000, "channel": "fax"}),
]


@pytest.fixture
def sent(sequence):
    return [sequence.report(eventTimestamp=at, eventProperties=about).json()["id"] for at, about in MESSAGES]


def calculated(sequence: Sequence, query: str, **fields: Any) -> Any:
    metric = sequence.metric(**fields).json()
    return sequence("GET", f"usage-metrics/{metric['id']}/calculate?{query}")


JULY = "periodStart=2026-07-01&periodEnd=2026-07-31"


def test_the_length_of_a_months_messages(sequence, sent):
    response = calculated(
        sequence,
        f"customerAliases=globex&{JULY}",
        name="Length",
        aggregationType="SUM",
        aggregationProperty="length",
        unit="letters",
    )

    assert response.status_code == 200
    assert response.content.decode() == (
        '{"name":"Length","metricType":"SIMPLE","eventType":"message-sent","aggregationType":"SUM","eventCount":4,'
        f'"value":150.035,"unit":"letters","minEventId":"{sent[0]}","maxEventId":"{sent[3]}"}}'
    )


@pytest.mark.parametrize(
    ("fields", "count", "value"),
    [
        ({}, 4, 4),
        ({"aggregationType": "UNIQUE", "aggregationProperty": "channel"}, 4, 3),
        ({"propertyFilters": {"channel": ["sms", "fax"]}}, 2, 2),
        ({"propertyFilters": {"channel": ["mail"]}}, 1, 1),
        ({"propertyFilters": {"channel": ["mail"]}, "caseSensitive": False}, 2, 2),
        ({"propertyFilters": {"channel": ["mail"]}, "propertiesToNegate": ["channel"]}, 3, 3),
        ({"propertyFilters": {"channel": ["sms"], "length": [50, "many"]}}, 1, 1),
        ({"eventType": "message-read"}, 0, 0),
    ],
)
def test_a_metric_counts_what_its_filters_let_pass(sequence, sent, fields, count, value):
    told = calculated(sequence, f"customerAliases=globex&{JULY}", **fields).json()

    assert (told["eventCount"], told["value"], "minEventId" in told) == (count, value, count > 0)


@pytest.mark.parametrize(
    ("period", "count"),
    [
        # Days are New York's, and the last is part of the period; a moment without an offset is New York's too.
        ("periodStart=2026-07-31&periodEnd=2026-07-31", 1),
        ("periodStart=2026-08-01&periodEnd=2026-08-31", 1),
        ("periodStart=2026-07-01T04:00:00Z&periodEnd=2026-07-10T12:00:00Z", 2),
        ("periodStart=2026-07-01T04:00:00.000001Z&periodEnd=2026-07-10T11:59:59.999999Z", 0),
        ("periodStart=2026-07-01T00:00:00&periodEnd=2026-07-10T08:00:00", 2),
        ("periodStart=2026-07-10T12:00:00Z&periodEnd=2026-07-10T12:00:00Z", 1),
    ],
)
def test_the_end_of_the_period_is_part_of_it(sequence, sent, period, count):
    assert calculated(sequence, f"customerAliases=globex&{period}").json()["eventCount"] == count


@pytest.mark.parametrize(
    ("aliases", "count"),
    [
        ("G-1", 1),
        ("{id}", 1),
        ("globex,G-1,{id}", 1),
        ("a%252Cb", 1),
        ("initech", 2),
        ("globex,initech", 3),
        ("globex&customerAliases=initech", 3),
    ],
)
def test_several_aliases_are_counted_together_and_a_customer_once(sequence, workspace, customer, aliases, count):
    parties.create_customer(workspace=workspace, name="Initech", aliases=["initech"], actor=make.ACTOR)
    for alias in ("globex", "initech", "initech", "nobody"):
        sequence.report(alias)

    told = calculated(sequence, f"customerAliases={aliases.format(id=customer.pk)}&{JULY}").json()

    assert told["eventCount"] == count


def test_what_was_superseded_or_taken_back_is_not_counted(sequence):
    for key, length in (("E1", 1), ("E2", 20), ("E3", 300)):
        sequence.report(customerEventId=key, eventProperties={"length": length})
    sequence.report(customerEventId="E2", eventProperties={"length": 50})
    sequence.report("VOID", customerEventId="E3")

    told = calculated(
        sequence, f"customerAliases=globex&{JULY}", aggregationType="SUM", aggregationProperty="length"
    ).json()

    assert (told["eventCount"], told["value"]) == (2, 51)


def test_events_that_were_matched_later_are_told_by_the_ids_that_their_sender_knows(sequence, workspace):
    early = sequence.report("initech").json()["id"]
    with time_machine.travel("2026-07-20T15:00:00Z", tick=False):
        late = sequence.report("initech").json()["id"]
    parties.create_customer(workspace=workspace, name="Initech", aliases=["initech"], actor=make.ACTOR)

    told = calculated(sequence, f"customerAliases=initech&{JULY}").json()

    assert (told["eventCount"], told["minEventId"], told["maxEventId"]) == (2, early, late)


def test_a_value_has_all_its_digits(sequence):
    for length in ("123456789012345.1", "0.000000001"):
        sequence.report(eventProperties={"length": length})

    response = calculated(
        sequence, f"customerAliases=globex&{JULY}", aggregationType="SUM", aggregationProperty="length"
    )

    assert str(decode(response.content)["value"]) == "123456789012345.100000001"


NO_TIME = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("", dict.fromkeys(["customerAliases", "periodStart", "periodEnd"], "This field is required.")),
        (f"customerAliases=,&{JULY}", {"customerAliases": "An empty value is not accepted."}),
        (f"customerAliases=globex,nobody&{JULY}", {"customerAliases": "There is no customer “nobody”."}),
        (f"customerAliases=VOID&{JULY}", {"customerAliases": "There is no customer “VOID”."}),
        (f"customerAliases=theirs&{JULY}", {"customerAliases": "There is no customer “theirs”."}),
        ("customerAliases=globex&periodStart=July&periodEnd=2026-07-31", {"periodStart": NO_TIME}),
        (
            "customerAliases=globex&periodStart=2026-02-30&periodEnd=2026-07-31",
            {"periodStart": "There is no such day."},
        ),
        (
            "customerAliases=globex&periodStart=2026-07-01&periodEnd=9999-12-31",
            {"periodEnd": "The day after 9999-12-31 is outside the years 1 to 9999."},
        ),
        (
            "customerAliases=globex&periodStart=2026-07-01&periodEnd=2026-06-30",
            {"periodEnd": "The end of the period is before its start."},
        ),
    ],
)
def test_a_bad_parameter_of_a_calculation_is_named(sequence, query, messages):
    parties.create_customer(workspace=make.workspace("other"), name="Theirs", aliases=["theirs"], actor=make.ACTOR)

    response = calculated(sequence, query)

    assert (response.status_code, response.json()) == (400, wrong(**messages))


@pytest.mark.parametrize("customers", [1, 4])
def test_a_calculation_takes_the_same_queries_whatever_the_number_of_customers(
    sequence, workspace, customers, django_assert_num_queries
):
    aliases = [f"c{n}" for n in range(customers)]
    for alias in aliases:
        parties.create_customer(workspace=workspace, name=alias, aliases=[alias], actor=make.ACTOR)
        sequence.report(alias)
    metric = sequence.metric().json()["id"]
    forget_trusted()

    # The key, the metric, two for the names, the measurement, the first and last event, and these.
    with django_assert_num_queries(6):
        told = sequence("GET", f"usage-metrics/{metric}/calculate?customerAliases={','.join(aliases)}&{JULY}").json()

    assert told["eventCount"] == customers


def test_an_id_is_taken_however_it_is_written(sequence):
    made = sequence.metric().json()["id"]

    assert sequence("GET", f"usage-metrics/{made.upper()}").status_code == 200
    assert sequence("GET", f"usage-metrics/{uuid.UUID(made).hex}").status_code == 200
