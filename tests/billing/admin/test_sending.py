"""A form that is sent twice is done once, and the second answer leads to what came of the first."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from billing import people
from billing.models import (
    ApiKey,
    Brick,
    CloseRun,
    Customer,
    Line,
    LoginTally,
    Price,
    SentForm,
    Subscription,
    Workspace,
)
from billing.people import sent_forms
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator, logged_in, problems_of
from tests.billing.admin.test_workspaces import WORKSPACE

pytestmark = pytest.mark.django_db


def sent_twice(client, url: str, **typed: object) -> tuple:
    shown = page_of(client, url)
    data = {**shown, **typed}
    return client.post(url, data), client.post(url, data)


def change_page(row) -> str:
    return reverse(f"admin:billing_{type(row).__name__.lower()}_change", args=[row.pk])


def test_subscription_that_is_added_twice_is_one():
    customer, client = make.customer(make.workspace()), administrator()
    today = timezone.now().date().isoformat()

    first, second = sent_twice(client, reverse("admin:billing_subscription_add"), customer=customer.pk, starts_on=today)

    assert first.url == second.url == change_page(Subscription.objects.get())


def test_line_that_is_added_twice_is_one_and_the_second_is_no_error():
    line, client = make.line(), administrator()
    price = make.price(make.brick(line.workspace, "Seats"))
    url = reverse("admin:billing_subscription_add_line", args=[line.subscription_id])

    first, second = sent_twice(client, url, price=price.pk)

    assert first.url == second.url == change_page(line.subscription)
    assert Line.objects.count() == 2


def test_rows_that_are_added_twice_are_one_and_the_second_leads_to_it():
    owner, client = make.workspace(), administrator()
    brick = make.brick(owner)
    for model, typed in (
        (Price, {"name": "Gold", "brick": brick.pk, "model": "per_unit", "currency": "USD", "unit_price": "2"}),
        (Customer, {"name": "Initech", "workspace": owner.pk}),
        (Brick, {"name": "Seats", "workspace": owner.pk, "aggregation": "unit_days", "unit_label": "seats"}),
    ):
        former = set(model.objects.values_list("pk", flat=True))
        first, second = sent_twice(client, reverse(f"admin:billing_{model.__name__.lower()}_add"), **typed)
        (new,) = set(model.objects.values_list("pk", flat=True)) - former
        assert first.status_code == 302, model
        assert second.url == change_page(model(pk=new))


def test_key_that_is_created_twice_is_one_and_is_shown_once():
    make.workspace()
    client = administrator()

    first, second = sent_twice(client, reverse("admin:billing_apikey_add"), name="meter")

    key = ApiKey.objects.get()
    assert key.prefix in first.content.decode()
    assert second.url == change_page(key)
    assert "data-copy" not in client.get(second.url).content.decode()


def test_workspace_copy_and_close_that_are_sent_twice_are_done_once(eager_tasks):
    line, client = make.line(), administrator()
    copied = sent_twice(client, reverse("admin:billing_price_copy", args=[line.price_id]), name="Copy")
    closed = sent_twice(client, reverse("admin:billing_closerun_add"), last_day="2026-01-31")
    opened = sent_twice(client, reverse("admin:billing_workspace_add"), **{**WORKSPACE, "code": "other"})

    assert opened[0].url == opened[1].url
    assert copied[0].url == copied[1].url == change_page(Price.objects.latest("id"))
    assert closed[0].url == closed[1].url == change_page(CloseRun.objects.get())
    assert (Workspace.objects.filter(code="other", mode="live").count(), Price.objects.count()) == (1, 2)


def test_person_who_is_added_twice_is_one_and_the_second_leads_there():
    passwords = {"password1": "another long password", "password2": "another long password"}

    first, second = sent_twice(administrator(), reverse("admin:auth_user_add"), username="otto", **passwords)

    there = reverse("admin:auth_user_change", args=[User.objects.get(username="otto").pk])
    assert first.url == second.url == there


def test_password_that_is_set_twice_is_set_once():
    otto, client = User.objects.create(username="otto"), administrator()
    passwords = {"password1": "another long password", "password2": "another long password"}

    first, second = sent_twice(client, reverse("admin:auth_user_password_change", args=[otto.pk]), **passwords)

    assert first.url == second.url == reverse("admin:auth_user_change", args=[otto.pk])
    assert LogEntry.objects.count() == 1


def test_password_that_was_refused_can_be_sent_again_with_its_token():
    otto, client = User.objects.create(username="otto"), administrator()
    url = reverse("admin:auth_user_password_change", args=[otto.pk])
    shown = page_of(client, url)

    refused = client.post(url, shown | {"password1": "short", "password2": "another"})
    done = client.post(url, shown | {"password1": "another long password", "password2": "another long password"})

    assert shown_on(refused)["form_token"] == shown["form_token"]
    assert done.url == reverse("admin:auth_user_change", args=[otto.pk])


def test_own_password_that_is_changed_twice_is_changed_once():
    fiona = User.objects.create_superuser("fiona", password="the former password")
    client = logged_in(fiona)
    typed = {
        "old_password": "the former password",
        "new_password1": "another long password",
        "new_password2": "another long password",
    }

    first, second = sent_twice(client, reverse("admin:password_change"), **typed)

    assert first.url == second.url == reverse("admin:password_change_done")
    assert not LoginTally.objects.exists()
    fiona.refresh_from_db()
    assert fiona.check_password("another long password")


def test_own_password_that_was_refused_counts_and_can_be_sent_again_with_its_token():
    fiona = User.objects.create_superuser("fiona", password="the former password")
    client, url = logged_in(fiona), reverse("admin:password_change")
    shown = page_of(client, url)
    typed = {"new_password1": "another long password", "new_password2": "another long password"}

    refused = client.post(url, shown | typed | {"old_password": "a wrong password"})

    assert LoginTally.objects.get().tries == 1
    again = shown_on(refused) | typed | {"old_password": "the former password"}
    assert client.post(url, again).url == reverse("admin:password_change_done")


def test_person_whom_somebody_adds_while_others_set_passwords_is_typed_once(monkeypatch):
    client, url = administrator(), reverse("admin:auth_user_add")
    typed = {"username": "otto", "password1": "another long password", "password2": "another long password"}
    shown = page_of(client, url) | typed

    def busy(**_):
        raise people.Busy

    with monkeypatch.context() as patched:
        patched.setattr(people, "hashing", busy)
        refused = client.post(url, shown)

    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert problems_of(refused) == [str(people.Busy())]
    assert shown_on(refused)["username"] == "otto"
    assert client.post(url, shown_on(refused) | typed).status_code == 302


def test_two_pages_make_two():
    customer, client = make.customer(make.workspace()), administrator()
    typed = {"customer": customer.pk, "starts_on": timezone.now().date().isoformat()}
    url = reverse("admin:billing_subscription_add")

    for _ in range(2):
        client.post(url, page_of(client, url) | typed)

    assert Subscription.objects.count() == 2


def test_form_that_was_refused_can_be_sent_again_with_its_token():
    customer, client = make.customer(make.workspace()), administrator()
    url = reverse("admin:billing_subscription_add")
    shown = page_of(client, url) | {"customer": customer.pk}

    refused = client.post(url, shown | {"starts_on": "never"})
    client.post(url, shown | {"starts_on": timezone.now().date().isoformat()})

    assert refused.context["form_token"] == shown["form_token"]
    assert Subscription.objects.count() == 1
    assert SentForm.objects.count() == 1


def test_token_is_one_persons_and_one_pages():
    customer = make.customer(make.workspace())
    url = reverse("admin:billing_subscription_add")
    data = {"customer": customer.pk, "starts_on": timezone.now().date().isoformat(), "interval": "monthly"}

    for client in (administrator(), administrator()):
        client.post(url, data | {"form_token": "the same"})

    assert Subscription.objects.count() == 2


def test_what_was_done_long_ago_is_forgotten():
    now = timezone.now()
    SentForm.objects.create(name="old", url="/", sent_at=now - timedelta(days=8))
    SentForm.objects.create(name="new", url="/", sent_at=now - timedelta(days=6))

    with sent_forms.done_once(name="this", as_of=now):
        pass

    assert set(SentForm.objects.values_list("pk", flat=True)) == {"new", "this"}


def test_what_the_page_notes_of_how_it_is_read_between_two_clicks_is_no_other_content():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_price_add")
    typed = {"name": "Gold", "brick": line.brick_id, "model": "per_unit", "currency": "USD", "unit_price": "2"}
    shown = {**page_of(client, url), **typed, "read_as": ""}

    client.post(url, shown)
    again = client.post(url, shown | {"read_as": line.workspace.formats.examples()["numbers"]}, follow=True)

    told = [str(message) for message in again.context["messages"]]
    assert told[-1] == "This form was already processed: this is its result."


def test_other_content_under_the_token_of_a_page_that_was_sent_is_not_done_and_told_so():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_price_add")
    shown = {**page_of(client, url), "brick": line.brick_id, "model": "per_unit", "currency": "USD"}

    client.post(url, {**shown, "name": "Gold", "unit_price": "2"})
    gold = Price.objects.get(name="Gold")
    other = client.post(url, {**shown, "name": "Silver", "unit_price": "3"}, follow=True)
    same = client.post(url, {**shown, "name": "Gold", "unit_price": "2", "_continue": "1"}, follow=True)

    assert not Price.objects.filter(name="Silver").exists()
    assert [str(message) for message in other.context["messages"]][-1] == (
        "Nothing was changed: this page was already sent with other content, which was processed: see"
        f' <a href="{change_page(gold)}">its result</a>. Open the form again for a new entry.'
    )
    assert f'<a href="{change_page(gold)}">its result</a>' in other.content.decode()
    assert "This form was already processed" in same.content.decode()
