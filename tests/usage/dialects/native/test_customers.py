import uuid

import pytest

from billing.models import Customer, CustomerAlias
from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db

GIVEN = "0b5f2f6e-6f0e-4c3d-9d53-6a8f6a0f4d11"


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def api(workspace):
    return Native(workspace)


def test_customer_is_created_as_its_system_knows_it_and_read_again(api, workspace):
    response = api.post(
        "customers/",
        id=GIVEN,
        name="Globex",
        reference="cus_1",
        email="ap@globex.example",
        address="1 Main Street",
        aliases=["globex-eu", "globex-us"],
    )

    customer = Customer.objects.get()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/customers/{GIVEN}/")
    assert response.json() == {
        "id": GIVEN,
        "name": "Globex",
        "reference": "cus_1",
        "email": "ap@globex.example",
        "address": "1 Main Street",
        "aliases": ["globex-eu", "globex-us"],
        "created_at": customer.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (str(customer.pk), customer.workspace) == (GIVEN, workspace)
    assert api.get(f"customers/{GIVEN}/").json() == response.json()


def test_customer_needs_a_name_only(api):
    made = api.post("customers/", name="Globex").json()

    assert made | {"id": "", "created_at": ""} == {
        "id": "",
        "name": "Globex",
        "reference": None,
        "email": "",
        "address": "",
        "aliases": [],
        "created_at": "",
    }
    assert uuid.UUID(made["id"]) == Customer.objects.get().pk


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"name": "  "}, "name", "This field may not be blank."),
        ({"name": None}, "name", "This field may not be null."),
        ({"name": 5}, "name", "Not a valid string."),
        ({"name": "x" * 201}, "name", "Ensure this field has no more than 200 characters."),
        ({"reference": ""}, "reference", "This field may not be blank."),
        ({"reference": "x" * 101}, "reference", "Ensure this field has no more than 100 characters."),
        ({"email": "nobody"}, "email", "Enter a valid email address."),
        ({"id": 7}, "id", "Must be a valid UUID."),
        ({"id": "urn:uuid:" + GIVEN}, "id", "Must be a valid UUID."),
        ({"aliases": "globex"}, "aliases", 'Expected a list of items but got type "str".'),
        ({"aliases": ["a", ""]}, "aliases.1", "This field may not be blank."),
        ({"reference": "VOID"}, "reference", "“VOID” is reserved: senders retract an event by this alias."),
        ({"aliases": ["VOID"]}, "aliases", "“VOID” is reserved: senders retract an event by this alias."),
    ],
)
def test_what_is_wrong_with_a_customer_is_told_by_field(api, sent, field, message):
    response = api.post("customers/", **{"name": "Globex", **sent})

    assert wrong(response) == (422, {field: message})
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"reference": "cus_1"}, "reference", "A customer with this reference already exists."),
        ({"aliases": ["mine", "globex-eu"]}, "aliases", "A customer with this alias already exists."),
        ({"id": GIVEN}, "id", "A customer with this id already exists."),
    ],
)
def test_what_another_customer_has_is_a_conflict(api, sent, field, message):
    api.post("customers/", id=GIVEN, name="Globex", reference="cus_1", aliases=["globex-eu"])

    assert wrong(api.post("customers/", name="Initech", **sent)) == (409, {field: message})
    assert (Customer.objects.count(), CustomerAlias.objects.count()) == (1, 1)


def test_name_of_a_customer_is_no_others_and_its_events_stay_its_own(api):
    globex = api.post("customers/", id=GIVEN, name="Globex", reference="tenant-9", aliases=["globex-eu"]).json()
    other = api.post("customers/", name="Initech").json()
    message = "Another customer has this name: as its id, its reference or an alias."

    def sent(name):
        yield api.post(f"customers/{other['id']}/aliases/", value=name), "value"
        yield api.patch(f"customers/{other['id']}/", reference=name), "reference"
        yield api.post("customers/", name="Umbra", reference=name), "reference"
        yield api.post("customers/", name="Umbra", aliases=[name]), "aliases"

    refusals = [(wrong(response), field) for name in ("tenant-9", GIVEN) for response, field in sent(name)]
    event = {"event_type": "call", "occurred_at": "2026-07-15T00:00:00Z", "customer_alias": "tenant-9"}

    assert [told for told, _ in refusals if told[0] != 409] == []
    assert all(field in told[1] for told, field in refusals)
    assert wrong(api.post(f"customers/{other['id']}/aliases/", value="tenant-9")) == (409, {"value": message})
    assert api.post("usage/", **event).json()["customer"] == globex["id"]


def test_id_of_another_workspaces_customer_is_taken_and_tells_nothing_else(api):
    theirs = make.customer(make.workspace("other"), "Secret", reference="cus_1")

    response = api.post("customers/", id=str(theirs.pk), name="Globex", reference="cus_1")

    assert wrong(response) == (409, {"id": "A customer with this id already exists."})
    assert api.post("customers/", name="Globex", reference="cus_1").status_code == 201


def test_customer_is_changed_where_something_is_sent(api):
    made = api.post("customers/", name="Globex", reference="cus_1", email="ap@globex.example").json()

    response = api.patch(f"customers/{made['id']}/", name="Globex Ltd", email="")

    assert response.json() == made | {"name": "Globex Ltd", "email": ""}
    assert api.patch(f"customers/{made['id']}/", reference=None).json()["reference"] is None
    assert api.get(f"customers/{made['id']}/").json() == made | {"name": "Globex Ltd", "email": "", "reference": None}


def test_customer_is_not_changed_into_another(api):
    first = api.post("customers/", name="Globex", reference="cus_1").json()
    second = api.post("customers/", name="Initech", reference="cus_2").json()

    response = api.patch(f"customers/{second['id']}/", name="Globex", reference="cus_1")

    assert wrong(response) == (409, {"reference": "A customer with this reference already exists."})
    assert api.get(f"customers/{second['id']}/").json() == second
    assert api.get(f"customers/{first['id']}/").json() == first


def test_customers_are_not_deleted(api):
    made = api.post("customers/", name="Globex").json()

    response = api("DELETE", f"customers/{made['id']}/")

    assert wrong(response) == (405, {})
    assert response.headers["Allow"] == "GET, HEAD, PATCH"
    assert Customer.objects.count() == 1


def test_aliases_are_added_listed_and_removed(api):
    path = f"customers/{api.post('customers/', name='Globex', aliases=['a']).json()['id']}/"

    added = api.post(f"{path}aliases/", value="b", label="Billing")
    listed = api.get(f"{path}aliases/").json()["results"]

    assert (added.status_code, added.headers["Location"]) == (201, f"/api/{path}aliases/{added.json()['id']}/")
    assert [(alias["value"], alias["label"]) for alias in listed] == [("b", "Billing"), ("a", "")]
    assert api.get(f"{path}aliases/{added.json()['id']}/").json() == added.json() == listed[0]
    assert api.get(path).json()["aliases"] == ["a", "b"]
    removed = api("DELETE", f"{path}aliases/{added.json()['id']}/")
    assert (removed.status_code, removed.content) == (204, b"")
    assert api.get(path).json()["aliases"] == ["a"]
    assert api("DELETE", f"{path}aliases/{added.json()['id']}/").status_code == 404


@pytest.mark.parametrize(
    ("value", "status"), [("taken", 409), ("VOID", 422), ("", 422), ("x" * 256, 422), (None, 422), (7, 422)]
)
def test_alias_that_cannot_be_is_refused(api, value, status):
    api.post("customers/", name="Initech", aliases=["taken"])
    made = api.post("customers/", name="Globex").json()

    refusal = wrong(api.post(f"customers/{made['id']}/aliases/", value=value))

    assert (refusal[0], list(refusal[1])) == (status, ["value"])
    assert CustomerAlias.objects.count() == 1


def test_alias_of_one_customer_is_not_found_below_another(api):
    first, second = (api.post("customers/", name=name, aliases=[name]).json() for name in ("Globex", "Initech"))
    alias = CustomerAlias.objects.get(value="Globex").pk

    assert api.get(f"customers/{first['id']}/aliases/{alias}/").status_code == 200
    assert api.get(f"customers/{second['id']}/aliases/{alias}/").status_code == 404
    assert api("DELETE", f"customers/{second['id']}/aliases/{alias}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=Globex", ["cus_1"]),
        ("reference=cus_2", ["cus_2"]),
        ("alias=initech-eu", ["cus_2"]),
        ("name=Globex&reference=cus_2", []),
        ("created_from=2020-01-01T00:00:00Z", ["cus_1", "cus_2"]),
        ("created_before=2020-01-01T00:00:00Z", []),
    ],
)
def test_customers_are_found(api, query, found):
    api.post("customers/", name="Globex", reference="cus_1", aliases=["globex-eu", "globex-us"])
    api.post("customers/", name="Initech", reference="cus_2", aliases=["initech-eu"])
    make.customer(make.workspace("other"), "Globex", reference="cus_3")

    shown = api.get(f"customers/?{query}").json()["results"]

    assert sorted(customer["reference"] for customer in shown) == found


def test_list_of_customers_takes_as_many_queries_for_three_as_for_one(api, django_assert_num_queries):
    api.get("customers/")
    for count in (1, 2):
        for one in range(count):
            api.post("customers/", name="Globex", aliases=[f"a{count}{one}"])
        with django_assert_num_queries(3):
            assert api.get("customers/").status_code == 200
