"""The history of a row: with its parts, the newest first, and not of others."""

import pytest

from billing import history, parties
from billing.models import Change, Customer, CustomerAlias
from tests import factories as make

pytestmark = pytest.mark.django_db


def test_a_row_has_its_own_changes_and_those_of_its_parts():
    owner = make.workspace()
    globex, initech = make.customer(owner, "Globex"), make.customer(owner, "Initech")
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    parties.update_customer(customer=globex, email="a@globex.example", actor=make.ACTOR)

    assert [(change.action, change.part) for change in history.changes_of(globex)] == [
        ("changed", ""),
        ("added", "alias"),
        ("added", ""),
    ]
    assert [change.action for change in history.changes_of(initech)] == ["added"]


def test_a_row_without_a_history_has_no_changes(django_assert_num_queries):
    # Changes themselves have none.
    with django_assert_num_queries(0):
        assert list(history.changes_of(Change())) == []
        assert list(history.newest_of(Change(), most=9, most_letters=9)) == []


def test_it_is_known_of_which_rows_changes_are_kept():
    assert [history.is_kept_of(model) for model in (Customer, CustomerAlias, Change)] == [True, True, False]


def test_the_newest_are_so_many():
    globex = make.customer(make.workspace())
    for n in range(3):
        parties.update_customer(customer=globex, address=f"{n} Main Street", actor=make.ACTOR)

    newest = history.newest_of(globex, most=2, most_letters=10_000)

    assert [change.values["address"][1] for change in newest] == ["2 Main Street", "1 Main Street"]


def test_the_newest_end_with_the_one_that_makes_them_so_long():
    globex = make.customer(make.workspace())
    for n in range(4):
        parties.update_customer(customer=globex, address=f"{n}" * 100, actor=make.ACTOR)

    # Each tells 100 letters before and 100 after: the second passes 300, and the third is left out.
    newest = history.newest_of(globex, most=10, most_letters=300)

    assert [change.values["address"][1][0] for change in newest] == ["3", "2"]
