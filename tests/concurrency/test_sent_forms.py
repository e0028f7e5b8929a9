"""A form submitted again while the first submission is still running: one is done, and both lead to its result."""

import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import base_user
from django.contrib.auth.models import Group, User
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import contracts, keys
from billing.models import ApiKey, Subscription
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.concurrency.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True)]


PASSWORDS = {"password1": "another long password", "password2": "another long password"}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def slowly(monkeypatch):
    """Delay the work until the second form has arrived, or for a second."""
    began, second_came = threading.Event(), threading.Event()

    def slow(real):
        def call(*texts, **given):
            done = real(*texts, **given)
            began.set()
            second_came.wait(timeout=1)
            return done

        return call

    monkeypatch.setattr(contracts, "create_subscription", slow(contracts.create_subscription))
    monkeypatch.setattr(keys, "create_key", slow(keys.create_key))
    monkeypatch.setattr(base_user, "make_password", slow(base_user.make_password))
    return began, second_came


def post_both(url: str, typed: dict, slowly) -> list:
    user = User.objects.filter(username="fiona").first() or User.objects.create_superuser("fiona")
    began, second_came = slowly
    first, second = client_of(user), client_of(user)
    data = {**page_of(first, url), **typed}
    connections.close_all()

    def click():
        return first.post(url, data)

    def click_again():
        assert began.wait(timeout=20)
        threading.Timer(0.3, second_came.set).start()
        return second.post(url, data)

    return at_once([click, click_again])


def test_subscription_that_is_added_again_while_the_first_is_running_is_one(slowly):
    customer = make.customer(make.workspace())
    typed = {"customer": customer.pk, "starts_on": timezone.now().date().isoformat()}

    first, second = post_both(reverse("admin:billing_subscription_add"), typed, slowly)

    one = Subscription.objects.get()
    assert first.url == second.url == reverse("admin:billing_subscription_change", args=[one.pk])


@pytest.mark.postgres
def test_a_name_taken_after_validation_is_an_error_on_the_form(monkeypatch):
    client = client_of(User.objects.create_superuser("fiona"))
    url = reverse("admin:auth_group_add")
    typed = {**page_of(client, url), "name": "Sales"}
    looks = Group.validate_unique

    def look_and_lose(group, exclude=None):
        looks(group, exclude)
        # Once: another connection commits the same name.
        monkeypatch.setattr(Group, "validate_unique", looks)
        at_once([lambda: Group.objects.create(name="Sales")])

    monkeypatch.setattr(Group, "validate_unique", look_and_lose)
    refused = client.post(url, typed)

    assert refused.status_code == 200
    assert refused.context["adminform"].form.errors == {"name": ["Group with this Name already exists."]}
    assert Group.objects.count() == 1


def test_key_that_is_created_again_while_the_first_is_running_is_one(slowly):
    owner = make.workspace()

    first, second = post_both(reverse("admin:billing_apikey_add"), {"workspace": owner.pk, "name": "meter"}, slowly)

    key = ApiKey.objects.get()
    assert key.prefix in first.content.decode()
    assert second.url == reverse("admin:billing_apikey_change", args=[key.pk])


def test_person_who_is_added_again_while_the_password_is_hashed_is_one(slowly):
    first, second = post_both(reverse("admin:auth_user_add"), {"username": "otto", **PASSWORDS}, slowly)

    there = reverse("admin:auth_user_change", args=[User.objects.get(username="otto").pk])
    assert first.url == second.url == there


def test_password_that_is_set_again_while_it_is_hashed_is_set_once(slowly):
    otto = User.objects.create(username="otto")

    first, second = post_both(reverse("admin:auth_user_password_change", args=[otto.pk]), PASSWORDS, slowly)

    assert first.url == second.url == reverse("admin:auth_user_change", args=[otto.pk])
    assert LogEntry.objects.count() == 1
    otto.refresh_from_db()
    assert otto.check_password("another long password")
