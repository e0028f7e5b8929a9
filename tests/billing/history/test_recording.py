"""A change and its entry in the history are written together or not at all."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from billing import actors, catalog, contracts, history, keys, parties
from billing.calendar import midnight
from billing.contracts import Limits
from billing.models import AppendOnly, Change
from tests import factories as make

pytestmark = pytest.mark.django_db


def trace(row):
    """What the history says of a row, the oldest first: action, part, values."""
    return [(change.action, change.part, change.values) for change in history.changes_of(row).order_by("id")]


def test_a_customer_is_told_from_its_first_value_to_its_last():
    customer = make.customer(make.workspace(), "Globex", email="old@globex.example")
    parties.update_customer(customer=customer, email="new@globex.example", address="", actor=make.ACTOR)
    alias = parties.add_alias(customer=customer, value="tenant-9", actor=make.ACTOR)
    parties.update_alias(alias=alias, label="production", actor=make.ACTOR)
    parties.remove_alias(alias=alias, actor=make.ACTOR)

    assert trace(customer) == [
        ("added", "", {"name": [None, "Globex"], "email": [None, "old@globex.example"]}),
        ("changed", "", {"email": ["old@globex.example", "new@globex.example"]}),
        ("added", "alias", {"value": [None, "tenant-9"]}),
        ("changed", "alias", {"label": [None, "production"]}),
        ("removed", "alias", {"value": ["tenant-9", None], "label": ["production", None]}),
    ]


def test_an_alias_that_moves_leaves_one_customer_and_comes_to_the_other():
    owner = make.workspace()
    globex, initech = make.customer(owner, "Globex"), make.customer(owner, "Initech")
    alias = parties.add_alias(customer=globex, value="tenant-9", actor=make.ACTOR)
    parties.update_alias(alias=alias, customer=initech, actor=make.ACTOR)

    assert trace(globex)[-1] == ("removed", "alias", {"value": ["tenant-9", None]})
    assert trace(initech)[-1] == ("added", "alias", {"value": [None, "tenant-9"]})


def test_what_changes_nothing_leaves_no_trace():
    customer = make.customer(make.workspace())
    parties.update_customer(customer=customer, name=customer.name, email="", actor=make.ACTOR)

    assert [action for action, *_ in trace(customer)] == ["added"]


def test_ends_and_limits_are_told_of_the_line_on_the_page_of_its_subscription():
    line = make.line(starts_on=date(2026, 1, 1))
    former = Change.objects.count()
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal("12.50")), actor=make.ACTOR)
    contracts.end_subscription(
        subscription=line.subscription, ends_at=midnight(date(2026, 3, 1), tz=line.workspace.tz), actor=make.ACTOR
    )

    assert Change.objects.count() == former + 3
    assert trace(line.subscription)[-3:] == [
        ("changed", f"line {line.number}", {"hard_limit_quantity": [None, "12.5"]}),
        ("changed", "", {"ends_at": [None, "2026-03-01T00:00:00+00:00"]}),
        ("changed", f"line {line.number}", {"ends_at": [None, "2026-03-01T00:00:00+00:00"]}),
    ]


def test_what_is_written_in_bulk_is_told_too():
    owner = make.workspace()
    brick = make.brick(owner)
    price = make.price(brick, model="volume", tiers=[("10", "2", "5"), (None, "1.50", "0")])
    copy = catalog.copy_price(price=price, name="Another", actor=make.ACTOR)
    catalog.archive_brick(brick=brick, as_of=timezone.now(), actor=make.ACTOR)
    catalog.archive_brick(brick=brick, as_of=timezone.now(), actor=make.ACTOR)

    tiers = {"tiers": [[], ["up to 10: 2, fee 5", "up to any: 1.5, fee 0"]]}
    assert [row[0::2] for row in trace(price)][1:] == [("added", tiers)]
    assert [row[0::2] for row in trace(copy)][1:] == [("added", tiers)]
    assert [action for action, *_ in trace(brick)] == ["added", "archived"]


def test_a_key_is_told_without_its_secret():
    owner = make.workspace()
    key, text = keys.create_key(workspace=owner, name="a service", actor=make.actor("tests"))
    keys.revoke_key(key=key, as_of=timezone.now(), actor=make.ACTOR)

    assert trace(key) == [
        ("added", "", {"name": [None, "a service"], "prefix": [None, text[:13]]}),
        ("revoked", "", {}),
    ]


def test_a_change_that_is_taken_back_leaves_no_trace():
    customer = make.customer(make.workspace())

    def change():
        with transaction.atomic():
            parties.update_customer(customer=customer, name="Other", actor=make.ACTOR)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()

    assert [action for action, *_ in trace(customer)] == ["added"]


def test_who_acts_is_named_as_they_are_called_then():
    owner = make.workspace()
    user = User.objects.create_user("fiona", first_name="Fiona", last_name="Ledger")
    key, _ = keys.create_key(workspace=owner, name="a service", actor=make.actor("tests"))
    customer = make.customer(owner)
    who = (
        actors.person(user),
        actors.api_key(key, via="sequence"),
        actors.command("import"),
        actors.schedule("close_due"),
    )
    for place, actor in enumerate(who):
        parties.update_customer(customer=customer, address=f"{place} Main St", actor=actor)
    User.objects.update(first_name="Fred")

    changes = history.changes_of(customer).order_by("id")
    assert list(changes.values_list("actor_kind", "actor_id", "actor_name", "via")) == [
        ("command", None, "tests", "command"),
        ("person", user.pk, "Fiona Ledger", "panel"),
        ("key", key.pk, f"a service ({key.prefix}…)", "sequence"),
        ("command", None, "import", "command"),
        ("schedule", None, "close_due", "schedule"),
    ]


def test_the_history_is_only_added_to():
    make.customer(make.workspace())
    change = Change.objects.latest("id")

    for edit in (change.save, change.delete, Change.objects.all().delete, lambda: Change.objects.update(action="x")):
        with pytest.raises(AppendOnly):
            edit()


def test_closing_and_recording_leave_no_trace_of_their_pointers():
    line = make.line()
    before = Change.objects.count()
    make.use(line, "3", "2026-01-10")

    assert Change.objects.count() == before
