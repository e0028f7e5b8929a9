"""Sequence: aliases created, changed and deleted, and customers found by them."""

import uuid
from typing import Any

import pytest

from billing import parties
from billing.keys import forget_trusted
from billing.models import CustomerAlias
from tests import factories as make
from tests.usage.dialects.sequence.client import NOT_FOUND, Sequence, wrong
from usage.models import StoredReply, UsageRecord

pytestmark = pytest.mark.django_db

TAKEN = {
    "message": "A customer with this alias already exists.",
    **wrong(value="A customer with this alias already exists."),
}


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def customer(workspace):
    return parties.create_customer(
        workspace=workspace,
        name="Globex",
        reference="G-1",
        email="billing@globex.example",
        address="1 High Street\nSpringfield\nUSA",
        actor=make.ACTOR,
    )


@pytest.fixture
def sequence(workspace, customer):
    return Sequence(workspace)


def give(sequence: Sequence, customer: Any, value: str = "globex", **fields: Any) -> Any:
    return sequence("POST", "customer-aliases", {"customerId": str(customer.pk), "value": value, **fields})


def values(sequence: Sequence, query: str = "") -> list[str]:
    return [alias["value"] for alias in sequence("GET", f"customer-aliases{query}").json()["items"]]


def test_an_alias_is_given_and_told_back(sequence, customer):
    response = give(sequence, customer, label="CRM ID")

    alias, told = CustomerAlias.objects.get(), response.json()
    assert response.status_code == 201
    assert (alias.customer, alias.value, alias.label) == (customer, "globex", "CRM ID")
    assert told == {
        "id": told["id"],
        "sequenceAccountId": "acme",
        "customerId": str(customer.pk),
        "value": "globex",
        "createdAt": alias.created_at.isoformat().replace("+00:00", "Z"),
        "label": "CRM ID",
    }
    assert (uuid.UUID(told["id"]).version, uuid.UUID(told["id"]).int & (1 << 62) - 1) == (7, alias.pk)


def test_a_customer_may_be_named_by_its_reference(sequence, customer):
    response = sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex", "label": None})

    assert response.json()["customerId"] == str(customer.pk)
    assert "label" not in response.json()


def test_events_that_waited_are_the_customers_once_it_has_their_alias(sequence, customer):
    sequence.report("globex")
    sequence.report("initech")
    give(sequence, customer)

    assert list(UsageRecord.objects.live().order_by("id").values_list("customer_alias", "customer", "kind")) == [
        ("initech", None, "entry"),
        ("globex", customer.pk, "match"),
    ]
    assert [event["customerAlias"] for event in sequence.events("?unmappedAliasesOnly=true")] == ["initech"]


def test_an_alias_names_one_customer_of_a_workspace(sequence, workspace, customer):
    give(sequence, customer)
    initech = parties.create_customer(workspace=workspace, name="Initech", actor=make.ACTOR)
    theirs = parties.create_customer(workspace=make.workspace("other"), name="Theirs", actor=make.ACTOR)

    for whose in (customer, initech):
        again = give(sequence, whose)
        assert (again.status_code, again.json()) == (409, TAKEN)
    assert give(sequence, initech, "Globex").status_code == 201
    assert give(Sequence(theirs.workspace), theirs).status_code == 201


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"customerId": None}, {"customerId": "This field may not be null."}),
        ({"customerId": "G-2"}, {"customerId": "There is no such customer."}),
        ({"customerId": "Globex"}, {"customerId": "There is no such customer."}),
        ({"customerId": "theirs"}, {"customerId": "There is no such customer."}),
        ({"customerId": str(uuid.UUID(int=0))}, {"customerId": "There is no such customer."}),
        ({"value": ""}, {"value": "This field may not be blank."}),
        ({"value": "x" * 256}, {"value": "Ensure this field has no more than 255 characters."}),
        ({"value": "VOID"}, {"value": "“VOID” is reserved: senders retract an event by this alias."}),
        ({"label": []}, {"label": "Not a valid string."}),
        ({"label": "x" * 256}, {"label": "Ensure this field has no more than 255 characters."}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_field_is_named_and_changes_nothing(sequence, customer, fields, messages):
    parties.create_customer(workspace=make.workspace("other"), name="Theirs", reference="theirs", actor=make.ACTOR)

    response = give(sequence, customer, **fields)

    assert (response.status_code, response.json()) == (400, wrong(**messages))
    assert CustomerAlias.objects.count() == 0


def test_every_missing_field_is_named(sequence):
    response = sequence("POST", "customer-aliases", {})

    assert response.json() == wrong(customerId="This field is required.", value="This field is required.")


def test_the_same_request_with_a_key_of_its_own_is_answered_once(sequence, customer):
    sequence.headers["Idempotency-Key"] = "K-1"
    first, again = give(sequence, customer), give(sequence, customer)
    other = give(sequence, customer, "other")
    sequence.headers["Idempotency-Key"] = "K-2"
    taken = give(sequence, customer)

    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert other.status_code == 400
    assert (taken.status_code, taken.json()) == (409, TAKEN)
    assert values(sequence) == ["globex"]
    assert StoredReply.objects.count() == 1


def test_an_alias_that_is_another_customers_reference_or_id_is_taken(sequence, customer):
    other = make.customer(customer.workspace, "Initech", reference="tenant-9")

    for name in ("tenant-9", str(other.pk)):
        taken = give(sequence, customer, name)

        message = "Another customer has this name: as its id, its reference or an alias."
        assert (taken.status_code, taken.json()) == (409, {"message": message, **wrong(value=message)})
    assert values(sequence) == []


def test_events_know_no_idempotency_key(sequence):
    sequence.headers["Idempotency-Key"] = "K-1"
    first, second = sequence.report().json(), sequence.report().json()

    assert first["id"] != second["id"]


def test_the_label_of_an_alias_is_changed_and_nothing_else(sequence, customer):
    told = give(sequence, customer, label="CRM ID").json()
    path = f"customer-aliases/{told['id']}"

    changed = sequence("PUT", path, {"label": "ERP ID", "value": "other"})
    kept = sequence("PUT", path, {})
    emptied = sequence("PUT", path, {"label": None})

    assert (changed.status_code, changed.json()) == (200, {**told, "label": "ERP ID"})
    assert kept.json() == changed.json()
    assert "label" not in emptied.json()
    assert sequence("PUT", path, {"label": 7.5}).json() == wrong(label="Not a valid string.")


def test_an_alias_that_is_taken_away_names_nobody(sequence, customer):
    told = give(sequence, customer).json()
    sequence.report("globex")

    deleted = sequence("DELETE", f"customer-aliases/{told['id']}")
    sequence.report("globex")

    assert (deleted.status_code, deleted.json()) == (200, {**told, "deletedAt": "2026-07-20T14:00:00Z"})
    assert values(sequence) == []
    # What came before stays the customer's.
    assert list(UsageRecord.objects.order_by("id").values_list("customer", flat=True)) == [customer.pk, None]


@pytest.mark.parametrize("told", ["1", "x", "%00", "00000000-0000-0000-0000-000000000000", "{theirs}", "{shifted}"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_id_that_no_alias_of_the_workspace_has_is_not_found(sequence, customer, told, method):
    theirs = parties.create_customer(workspace=make.workspace("other"), name="Theirs", actor=make.ACTOR)
    of_theirs = give(Sequence(theirs.workspace), theirs).json()["id"]
    shifted = uuid.UUID(int=uuid.UUID(give(sequence, customer).json()["id"]).int + (1 << 80))

    response = sequence(method, f"customer-aliases/{told.format(theirs=of_theirs, shifted=shifted)}", {"label": "x"})

    assert (response.status_code, response.json()) == (404, NOT_FOUND)
    assert CustomerAlias.objects.filter(label="").count() == 2


def test_aliases_are_listed_newest_first_by_page_and_by_value(sequence, workspace, customer):
    for value in ("a", "b", "c"):
        give(sequence, customer, value)
    theirs = parties.create_customer(
        workspace=make.workspace("other"), name="Theirs", aliases=["theirs"], actor=make.ACTOR
    )

    first = sequence("GET", "customer-aliases?limit=2").json()
    rest = sequence("GET", f"customer-aliases?limit=2&after={first['pagination']['after']}").json()

    assert [alias["value"] for alias in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert values(sequence, f"?before={rest['pagination']['before']}") == ["c", "b"]
    assert values(sequence, "?value=b") == ["b"]
    assert values(sequence, "?value=B") == []
    assert values(Sequence(theirs.workspace)) == ["theirs"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Ensure this value is greater than or equal to 1."),
        ("before=x", "Invalid cursor."),
        ("value=%00", "Null characters are not allowed."),
    ],
)
def test_a_bad_parameter_is_named(sequence, query, message):
    response = sequence("GET", f"customer-aliases?{query}")

    assert (response.status_code, response.json()) == (400, wrong(**{query.partition("=")[0]: message}))


@pytest.mark.parametrize("told", ["id", "G-1"])
def test_the_aliases_of_a_customer_are_all_told(sequence, workspace, customer, told):
    first, second = give(sequence, customer, "a").json(), give(sequence, customer, "b", label="CRM").json()
    parties.create_customer(workspace=workspace, name="Initech", aliases=["c"], actor=make.ACTOR)

    response = sequence("GET", f"customers/{customer.pk if told == 'id' else told}/aliases")

    assert (response.status_code, response.json()) == (200, {"items": [first, second]})


@pytest.mark.parametrize("spelled", ["{0.hex}", "{{{0}}}", "urn:uuid:{0}"])
def test_a_second_spelling_of_an_id_is_another_customers_reference_as_for_events(
    sequence, workspace, customer, spelled
):
    text = spelled.format(customer.pk)
    assert give(sequence, customer, "theirs", customerId=text).status_code == 400
    assert sequence("GET", f"customers/{text}/aliases").status_code == 404
    other = make.customer(workspace, "Initech", reference=text)

    given = give(sequence, customer, "theirs", customerId=text)
    assert sequence.report(text).status_code == 201

    assert given.json()["customerId"] == str(other.pk)
    assert sequence("GET", f"customers/{text}/aliases").json()["items"] == [given.json()]
    assert sequence("GET", f"customers/by-alias/{text}").json()["id"] == str(other.pk)
    assert UsageRecord.objects.get().customer_id == other.pk


def test_letters_of_an_id_may_be_capitals(sequence, customer):
    assert give(sequence, customer, customerId=str(customer.pk).upper()).json()["customerId"] == str(customer.pk)


@pytest.mark.parametrize("told", ["G-2", "x", "%00", "00000000-0000-0000-0000-000000000000", "theirs", "alias"])
def test_a_customer_that_is_not_the_workspaces_has_no_aliases(sequence, workspace, customer, told):
    parties.create_customer(workspace=make.workspace("other"), name="Theirs", reference="theirs", actor=make.ACTOR)
    give(sequence, customer, "alias")

    response = sequence("GET", f"customers/{told}/aliases")

    assert (response.status_code, response.json()) == (404, NOT_FOUND)


def test_a_customer_is_found_by_an_alias(sequence, customer):
    give(sequence, customer, "crm:globex corp")

    response = sequence("GET", "customers/by-alias/crm:globex%20corp")

    assert response.status_code == 200
    assert response.json() == {
        "id": str(customer.pk),
        "createdAt": customer.created_at.isoformat().replace("+00:00", "Z"),
        "legalName": "Globex",
        "address": {
            "line1": "1 High Street",
            "line2": "Springfield, USA",
            "town": "",
            "postcode": "",
            "country": None,
        },
        "email": "billing@globex.example",
        "billingEmails": ["billing@globex.example"],
        "integrationIds": [],
        "taxStatus": "TAXED",
    }


def test_a_customer_without_email_and_address_is_shown_without(sequence, workspace):
    parties.create_customer(workspace=workspace, name="Initech", aliases=["initech"], actor=make.ACTOR)

    shown = sequence("GET", "customers/by-alias/initech").json()

    assert (shown["email"], shown["billingEmails"]) == ("", [])
    assert shown["address"] == {"line1": "", "town": "", "postcode": "", "country": None}


@pytest.mark.parametrize("name", ["id", "G-1"])
def test_a_customers_id_and_reference_are_aliases_too(sequence, customer, name):
    name = str(customer.pk) if name == "id" else name

    assert sequence("GET", f"customers/by-alias/{name}").json()["id"] == str(customer.pk)


def test_an_alias_goes_before_another_customers_reference(sequence, workspace, customer):
    initech = make.customer(workspace, "Initech")
    # Such an alias is refused now.
    CustomerAlias.objects.create(workspace=workspace, customer=initech, value="G-1")

    assert sequence("GET", "customers/by-alias/G-1").json()["id"] == str(initech.pk)


@pytest.mark.parametrize("alias", ["nobody", "GLOBEX", "VOID", "%00", "theirs", "{upper}"])
def test_an_alias_that_no_customer_of_the_workspace_has_is_not_found(sequence, customer, alias):
    parties.create_customer(workspace=make.workspace("other"), name="Theirs", aliases=["theirs"], actor=make.ACTOR)
    give(sequence, customer)

    # An id names a customer only as it is told.
    response = sequence("GET", f"customers/by-alias/{alias.format(upper=str(customer.pk).upper())}")

    assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("aliases", [1, 3])
@pytest.mark.parametrize(("path", "queries"), [("customer-aliases", 2), ("customers/G-1/aliases", 3)])
def test_a_list_takes_the_same_queries_however_long(
    sequence, customer, aliases, path, queries, django_assert_num_queries
):
    for n in range(aliases):
        give(sequence, customer, f"a{n}")
    forget_trusted()

    with django_assert_num_queries(queries):
        assert len(sequence("GET", path).json()["items"]) == aliases
