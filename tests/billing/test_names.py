"""One name, one owner: what clients may call a thing by names no other of its kind."""

import uuid

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, contracts, parties
from billing.models import Name
from billing.names import parse_whole
from tests import factories as make

pytestmark = pytest.mark.django_db

GIVEN = uuid.UUID("7d4c8a1c-5d0a-4d55-8ad4-0a3a5f7b9e21")
AS_OF = make.moment("2026-01-01")


def refused(call):
    """Return the fields that a refused call names, each of a name that is taken."""
    with pytest.raises(ValidationError) as refusal:
        call()
    assert {error.code for errors in refusal.value.error_dict.values() for error in errors} == {"unique"}
    return list(refusal.value.error_dict)


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def globex(workspace):
    return make.customer(workspace, id=GIVEN, reference="tenant-9", aliases=["globex-eu"])


# What Globex is called by: its reference, its alias, its id, and its id in other letters.
NAMES = ["tenant-9", "globex-eu", str(GIVEN), str(GIVEN).upper()]


@pytest.mark.parametrize("name", NAMES)
def test_name_of_a_customer_is_given_to_no_other_in_whatever_way(workspace, globex, name):
    other = make.customer(workspace, "Initech", reference="tenant-1", aliases=["initech"])

    assert refused(lambda: parties.add_alias(customer=other, value=name, actor=make.ACTOR)) == ["value"]
    assert refused(lambda: parties.update_alias(alias=other.aliases.get(), value=name, actor=make.ACTOR)) == ["value"]
    assert refused(lambda: parties.update_customer(customer=other, reference=name, actor=make.ACTOR)) == ["reference"]
    assert refused(lambda: make.customer(workspace, "Umbra", reference=name)) == ["reference"]
    assert refused(lambda: make.customer(workspace, "Umbra", aliases=["umbra", name])) == ["aliases"]
    other.refresh_from_db()
    assert (other.reference, list(other.aliases.values_list("value", flat=True))) == ("tenant-1", ["initech"])
    assert workspace.customers.count() == 2


def test_id_that_is_a_name_already_is_refused(workspace):
    other = uuid.uuid4()
    make.customer(workspace, reference=str(GIVEN), aliases=[str(other)])

    assert [refused(lambda pk=pk: make.customer(workspace, "Umbra", id=pk)) for pk in (GIVEN, other)] == [["id"]] * 2


def test_name_that_is_a_customers_own_may_be_its_alias_too(workspace, globex):
    for name in ("tenant-9", str(GIVEN)):
        parties.add_alias(customer=globex, value=name, actor=make.ACTOR)

    assert refused(lambda: make.customer(workspace, "Initech", aliases=["tenant-9"])) == ["aliases"]


def test_name_is_free_in_another_workspace_and_in_the_twin(workspace, globex):
    for other in (workspace.twin, make.workspace("other")):
        make.customer(other, reference="globex-eu", aliases=["tenant-9"])


def test_freed_name_may_be_given_again(workspace, globex):
    other = make.customer(workspace, "Initech")
    parties.update_customer(customer=globex, reference="tenant-10", actor=make.ACTOR)
    parties.remove_alias(alias=globex.aliases.get(), actor=make.ACTOR)

    parties.add_alias(customer=other, value="tenant-9", actor=make.ACTOR)
    parties.update_customer(customer=other, reference="globex-eu", actor=make.ACTOR)

    assert refused(lambda: parties.add_alias(customer=other, value="tenant-10", actor=make.ACTOR)) == ["value"]


def test_changed_alias_frees_the_former_one_and_moves_with_its_customer(workspace, globex):
    other = make.customer(workspace, "Initech")
    alias = globex.aliases.get()
    parties.update_alias(alias=alias, value="globex-us", actor=make.ACTOR)
    parties.add_alias(customer=other, value="globex-eu", actor=make.ACTOR)

    parties.update_alias(alias=alias, customer=other, actor=make.ACTOR)

    parties.update_customer(customer=other, reference="globex-us", actor=make.ACTOR)
    assert refused(lambda: parties.update_customer(customer=globex, reference="globex-us", actor=make.ACTOR)) == [
        "reference"
    ]


@pytest.mark.parametrize("freed", ["alias", "reference"])
def test_name_that_a_customer_has_twice_is_free_once_both_are_gone(workspace, globex, freed):
    other = make.customer(workspace, "Initech")
    alias = parties.add_alias(customer=globex, value="tenant-9", actor=make.ACTOR)
    steps = [
        lambda: parties.remove_alias(alias=alias, actor=make.ACTOR),
        lambda: parties.update_customer(customer=globex, reference="", actor=make.ACTOR),
    ]
    first, second = steps if freed == "alias" else reversed(steps)

    first()
    assert refused(lambda: parties.add_alias(customer=other, value="tenant-9", actor=make.ACTOR)) == ["value"]
    second()
    parties.add_alias(customer=other, value="tenant-9", actor=make.ACTOR)


def test_alias_does_not_move_with_a_name_that_its_customer_keeps(workspace, globex):
    other = make.customer(workspace, "Initech")
    alias = parties.add_alias(customer=globex, value="tenant-9", actor=make.ACTOR)

    assert refused(lambda: parties.update_alias(alias=alias, customer=other, actor=make.ACTOR)) == ["value"]


# --- lines and subscriptions


def line_of(subscription, **fields):
    brick = make.brick(subscription.workspace)
    return contracts.add_line(
        subscription=subscription, brick=brick, price=make.price(brick), **fields, actor=make.ACTOR
    )


@pytest.fixture
def agreed(globex):
    return make.subscription(globex, id=GIVEN, reference="sub_1")


def test_line_is_not_called_by_the_digits_of_another_or_by_a_subscriptions_name(agreed):
    line_of(agreed, number=7, reference="li_1")

    for name in ("7", "sub_1", str(GIVEN)):
        assert refused(lambda name=name: line_of(agreed, reference=name)) == ["reference"]
    assert line_of(agreed, number=8, reference="8").reference == "8"


def test_number_that_another_line_is_called_by_is_refused_or_skipped(agreed):
    line_of(agreed, number=50, reference="1")
    line_of(agreed, number=60, reference="7")

    assert refused(lambda: line_of(agreed, number=7)) == ["number"]
    assert [line_of(agreed).number for _ in range(2)] == [2, 3]


def test_next_number_is_beyond_any_number_of_names_in_a_row(agreed):
    Name.objects.bulk_create(
        Name(workspace=agreed.workspace, kind="line", text=str(n), owner="another") for n in range(1, 251)
    )

    assert line_of(agreed).number == 251


def test_subscription_is_not_called_by_the_name_of_a_line_or_another_subscription(globex, agreed):
    line_of(agreed, number=7, reference="li_1")
    other = uuid.uuid4()
    make.subscription(globex, reference=str(other))

    for name in ("7", "li_1", str(GIVEN)):
        assert refused(lambda name=name: make.subscription(globex, reference=name)) == ["reference"]
    assert refused(lambda: make.subscription(globex, id=other)) == ["id"]


# --- bricks


def test_brick_is_not_called_by_the_id_of_another(workspace):
    first = make.brick(workspace, id=GIVEN, reference="calls")
    second = make.brick(workspace, reference="seats")
    other = uuid.uuid4()

    def update(reference):
        return catalog.update_brick(brick=second, reference=reference, as_of=AS_OF, actor=make.ACTOR)

    assert refused(lambda: make.brick(workspace, reference=str(GIVEN))) == ["reference"]
    assert refused(lambda: update(str(GIVEN))) == ["reference"]
    assert refused(lambda: update("calls")) == ["reference"]
    update(str(other))
    assert refused(lambda: make.brick(workspace, id=other)) == ["id"]
    update("")
    make.brick(workspace, id=other)
    catalog.update_brick(brick=first, reference=str(first.pk), as_of=AS_OF, actor=make.ACTOR)


def test_reference_of_what_was_voided_may_be_given_again(globex):
    agreed = make.subscription(globex, reference="sub_1")
    line = line_of(agreed, reference="li_1")
    contracts.end_line(line=line, ends_at=line.starts_at, actor=make.ACTOR)
    line_of(agreed, reference="li_1")
    contracts.end_subscription(subscription=agreed, ends_at=agreed.starts_at, actor=make.ACTOR)

    other = make.subscription(globex, reference="sub_1")

    assert line_of(other, reference="li_1").reference == "li_1"


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        ("012", 12),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1_0", None),
        ("1.0", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_whole_number_is_spelled_in_plain_digits(text, number):
    assert parse_whole(text) == number


@pytest.mark.once
def test_whole_number_has_at_most_so_many_digits():
    assert [parse_whole("1234", digits=most) for most in (3, 4)] == [None, 1234]
