from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User

from billing.models import Customer, Invoice, Workspace
from tests.factories import moment
from tests.scenarios.closing import all_replay_identically
from usage import closing, demo
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NOW = moment("2026-11-20 12:00")


def test_people_and_groups_that_are_there_are_left_alone():
    users = [User.objects.create_user(name, password="their own", is_active=name == "admin") for name in demo.ROLES]
    for name in ("Finance", "Finance (demo)"):
        Group.objects.create(name=name).permissions.add(Permission.objects.get(codename="view_invoice"))
    before = [
        (user.username, user.password, user.is_staff, user.is_superuser, user.is_active)
        for user in User.objects.order_by("pk")
    ]

    demo.load(as_of=NOW)

    assert before == [
        (user.username, user.password, user.is_staff, user.is_superuser, user.is_active)
        for user in User.objects.order_by("pk")
    ]
    assert not any(user.groups.exists() for user in users)
    assert {group.permissions.count() for group in Group.objects.all()} == {1}
    assert demo.facts()["logins"] == []


def test_a_demo_that_is_loaded_again_stays_as_it_was():
    first = demo.load(as_of=NOW)
    before = [(model, model.objects.count()) for model in (Workspace, User, Customer, Invoice, UsageRecord)]

    again = demo.load(as_of=NOW + timedelta(days=40))

    assert again == first == demo.find()
    assert before == [(model, model.objects.count()) for model, _ in before]


def test_it_has_issued_invoices_that_replay_and_differences_to_come():
    workspace = demo.load(as_of=NOW)

    assert workspace.invoices.filter(state=Invoice.State.ISSUED).exists()
    assert all_replay_identically(workspace)
    previews = [closing.preview(subscription=each, as_of=NOW) for each in workspace.subscriptions.all()]
    kinds = {line.kind for preview in previews if preview for line in preview.invoice.lines}
    assert kinds == {"usage", "true_up"}
