import pytest

from billing.models import Brick, EventRule
from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db

GIVEN = "2f1e0b52-0a2c-4f4e-8f5e-3f3e9f0a7b10"
RULE = {
    "event_type": "message.sent",
    "aggregation": "unique",
    "property": "recipient",
    "filters": {"region": ["eu", "us"], "plan": ["free"]},
    "negated": ["plan"],
    "is_case_sensitive": False,
}
PLAIN = {"event_type": "message.sent", "aggregation": "count"}
DEFAULTS = {"property": "", "filters": {}, "negated": [], "is_case_sensitive": True}


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def api(workspace):
    return Native(workspace)


def test_counter_is_created_with_the_id_that_clients_hold(api, workspace):
    response = api.post(
        "bricks/",
        id=GIVEN,
        name="API calls",
        reference="br_1",
        aggregation="sum",
        unit_label="calls",
        description="Every call that was answered.",
    )

    brick = Brick.objects.get()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/bricks/{GIVEN}/")
    assert response.json() == {
        "id": GIVEN,
        "name": "API calls",
        "reference": "br_1",
        "aggregation": "sum",
        "unit_label": "calls",
        "description": "Every call that was answered.",
        "rule": None,
        "archived_at": None,
        "created_at": brick.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (str(brick.pk), brick.workspace) == (GIVEN, workspace)
    assert api.get(f"bricks/{GIVEN}/").json() == response.json()


def test_brick_of_events_has_its_rule(api):
    response = api.post("bricks/", name="Recipients", aggregation="events", rule=RULE)

    kept = EventRule.objects.get()
    assert response.json()["rule"] == RULE
    assert (kept.event_type, kept.aggregation, kept.property) == ("message.sent", "unique", "recipient")
    assert (kept.filters, kept.negated, kept.is_case_sensitive) == (RULE["filters"], ["plan"], False)


def test_changed_rule_is_the_next_one_and_the_former_stays(api):
    made = api.post("bricks/", name="Recipients", aggregation="events", rule=RULE).json()

    changed = api.patch(f"bricks/{made['id']}/", rule=PLAIN).json()

    assert changed == made | {"rule": PLAIN | DEFAULTS}
    assert api.get(f"bricks/{made['id']}/").json() == changed
    former, current = EventRule.objects.order_by("id")
    assert (former.property, former.replaced_at) == ("recipient", make.moment("2026-07-20 14:00"))
    assert (current.property, current.replaced_at) == ("", None)


def test_same_rule_again_is_no_change(api):
    made = api.post("bricks/", name="Recipients", aggregation="events", rule=RULE).json()

    assert api.patch(f"bricks/{made['id']}/", rule=RULE).json() == made
    assert EventRule.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "wrong_fields"),
    [
        ({"aggregation": "average"}, {"aggregation": '"average" is not a valid choice.'}),
        ({"aggregation": ["sum"]}, {"aggregation": "\"['sum']\" is not a valid choice."}),
        ({"unit_label": ""}, {"unit_label": "This field may not be blank."}),
        (
            {"aggregation": "events"},
            {"rule.event_type": "A brick that counts events requires an event rule."},
        ),
        ({"rule": PLAIN}, {"aggregation": "This brick does not count events."}),
        (
            {"aggregation": "events", "rule": PLAIN | {"aggregation": "sum"}},
            {"rule.property": "This aggregation requires a property."},
        ),
        (
            {"aggregation": "events", "rule": PLAIN | {"negated": ["plan"]}},
            {"rule.negated": "Only properties with a filter can be negated."},
        ),
        (
            {"aggregation": "events", "rule": PLAIN | {"filters": {"plan": []}}},
            {"rule.filters.plan": "Ensure this field has at least 1 elements."},
        ),
        (
            {"aggregation": "events", "rule": PLAIN | {"filters": {"plan": ["free", 1]}}},
            {"rule.filters.plan.1": "Not a valid string."},
        ),
        (
            {"aggregation": "events", "rule": PLAIN | {"filters": {"": ["free"]}}},
            {"rule.filters": "A filter maps the name of a property to a list of at least one text."},
        ),
        (
            {"aggregation": "events", "rule": PLAIN | {"is_case_sensitive": "no"}},
            {"rule.is_case_sensitive": "Must be true or false."},
        ),
        (
            {"aggregation": "events", "rule": "count"},
            {"rule": "Invalid data. Expected a dictionary, but got str."},
        ),
    ],
)
def test_what_is_wrong_with_a_brick_is_told_by_path(api, sent, wrong_fields):
    response = api.post("bricks/", **{"name": "Recipients", "aggregation": "sum", **sent})

    assert wrong(response) == (422, wrong_fields)
    assert not Brick.objects.exists()


def test_id_or_reference_that_is_taken_is_a_conflict(api):
    api.post("bricks/", id=GIVEN, name="API calls", reference="br_1", aggregation="sum")
    theirs = make.brick(make.workspace("other"), reference="br_2")

    taken = [
        wrong(api.post("bricks/", name="Seats", aggregation="unit_days", **sent))
        for sent in ({"id": GIVEN}, {"id": str(theirs.pk)}, {"reference": "br_1"})
    ]

    assert [(status, list(fields)) for status, fields in taken] == [(409, ["id"]), (409, ["id"]), (409, ["reference"])]
    assert api.post("bricks/", name="Seats", aggregation="unit_days", reference="br_2").status_code == 201


def test_brick_is_renamed_and_keeps_its_aggregation(api):
    made = api.post("bricks/", name="API calls", reference="br_1", aggregation="sum").json()

    changed = api.patch(
        f"bricks/{made['id']}/",
        name="Calls",
        unit_label="calls",
        description="All.",
        reference=None,
        aggregation="none",
    )

    assert changed.json() == made | {"name": "Calls", "unit_label": "calls", "description": "All.", "reference": None}


def test_reference_of_another_brick_is_refused_on_a_change(api):
    api.post("bricks/", name="API calls", reference="br_1", aggregation="sum")
    made = api.post("bricks/", name="Seats", reference="br_2", aggregation="unit_days").json()

    assert wrong(api.patch(f"bricks/{made['id']}/", reference="br_1"))[0] == 409
    assert api.get(f"bricks/{made['id']}/").json() == made


def test_rule_for_a_brick_that_counts_no_events_changes_nothing(api):
    made = api.post("bricks/", name="API calls", aggregation="sum").json()

    refusal = wrong(api.patch(f"bricks/{made['id']}/", name="Calls", rule=PLAIN))

    assert refusal == (422, {"aggregation": "This brick does not count events."})
    assert api.get(f"bricks/{made['id']}/").json() == made


def test_archived_brick_stays_and_is_sold_no_more(api, workspace):
    brick = make.brick(workspace)
    agreed = make.subscription(make.customer(workspace))
    price = make.price(brick)

    archived = api("POST", f"bricks/{brick.pk}/archive/")
    again = api("POST", f"bricks/{brick.pk}/archive/")
    line = api.post(f"subscriptions/{agreed.pk}/lines/", brick=str(brick.pk), price=price.pk)

    assert (archived.status_code, archived.json()["archived_at"]) == (200, "2026-07-20T14:00:00Z")
    assert again.json() == archived.json() == api.get(f"bricks/{brick.pk}/").json()
    assert wrong(line) == (422, {"brick": "This brick is archived: no further lines of it can be added."})
    assert api("DELETE", f"bricks/{brick.pk}/").status_code == 405


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["API calls", "Old", "Seats"]),
        ("aggregation=sum", ["API calls", "Old"]),
        ("is_archived=true", ["Old"]),
        ("is_archived=false", ["API calls", "Seats"]),
        ("reference=br_2", ["Seats"]),
        ("name=API%20calls&aggregation=sum", ["API calls"]),
    ],
)
def test_bricks_are_found(api, query, found):
    for name, aggregation, reference in (("API calls", "sum", "br_1"), ("Seats", "unit_days", "br_2")):
        api.post("bricks/", name=name, aggregation=aggregation, reference=reference)
    api("POST", f"bricks/{api.post('bricks/', name='Old', aggregation='sum').json()['id']}/archive/")
    make.brick(make.workspace("other"))

    assert sorted(brick["name"] for brick in api.get(f"bricks/?{query}").json()["results"]) == found


def test_list_of_bricks_takes_as_many_queries_for_three_as_for_one(api, django_assert_num_queries):
    api.get("bricks/")
    for count in (1, 2):
        for _ in range(count):
            api.post("bricks/", name="Recipients", aggregation="events", rule=RULE)
        with django_assert_num_queries(3):
            assert api.get("bricks/").status_code == 200
