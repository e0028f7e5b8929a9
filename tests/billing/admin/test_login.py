"""The log-in page: what it looks at, how often, and what it says beyond."""

from ipaddress import ip_network

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.billing.admin.staff import administrator

pytestmark = pytest.mark.django_db

URL = "/admin/login/"
PASSWORD = "a long enough password"


@pytest.fixture
def hashed(monkeypatch):
    """The passwords that were hashed, quickly."""
    hashed = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)

    def noted(self, password, salt, iterations=None):
        hashed.append(password)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", noted)
    return hashed


@pytest.fixture
def fiona(hashed):
    user = User.objects.create_superuser("fiona", password=PASSWORD)
    hashed.clear()
    return user


def enter(client, password, *, username="fiona", address="198.51.100.1", **headers):
    return client.post(URL, {"username": username, "password": password}, REMOTE_ADDR=address, **headers)


def test_after_five_wrong_passwords_nothing_is_looked_at_and_the_page_says_for_how_long(fiona, hashed):
    client = Client()
    statuses = [enter(client, f"wrong {n}").status_code for n in range(5)]
    refused = enter(client, PASSWORD)

    assert statuses == [200, 200, 200, 200, 429]
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert "Too many attempts; try again in 15 minutes." in refused.content.decode()
    assert hashed == [f"wrong {n}" for n in range(5)]


def test_an_unknown_account_is_treated_and_costs_the_same(fiona, hashed):
    known = [(answer.status_code, len(answer.content)) for answer in (enter(Client(), "wrong") for _ in range(6))]
    of_known, hashed[:] = len(hashed), []
    unknown = [
        (answer.status_code, len(answer.content))
        for answer in (enter(Client(), "wrong", username="frank") for _ in range(6))
    ]

    assert unknown == known
    assert len(hashed) == of_known == 5


def test_inactive_and_other_people_without_the_panel_count_as_wrong(fiona):
    User.objects.create_user("guest", password=PASSWORD)
    User.objects.create_superuser("gone", password=PASSWORD, is_active=False)

    for username in ("guest", "gone"):
        statuses = [enter(Client(), PASSWORD, username=username).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]


def test_the_person_gets_in_from_another_address(fiona):
    for n in range(6):
        enter(Client(), "wrong", address=f"203.0.113.{n % 2}")

    assert enter(Client(), PASSWORD).status_code == 302


def test_a_browser_that_was_in_before_gets_in_from_the_address_of_who_guesses(fiona):
    mine = Client()
    assert enter(mine, PASSWORD).status_code == 302
    mine.post(reverse("admin:logout"))
    for _ in range(6):
        enter(Client(), "wrong")

    assert enter(Client(), PASSWORD).status_code == 429
    assert enter(mine, PASSWORD).status_code == 302
    cookie = mine.cookies["arrears_device"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (URL, True, "Lax")


def test_nobody_is_believed_of_the_address_that_it_says(fiona):
    answers = [enter(Client(), "wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{n}") for n in range(6)]

    assert answers[-1].status_code == 429


def test_a_named_proxy_is_believed(fiona, settings):
    settings.TRUSTED_PROXIES = [ip_network("10.1.0.0/16")]

    for n in range(6):
        last = enter(Client(), "wrong", address="10.1.2.3", HTTP_X_FORWARDED_FOR=f"9.9.9.{n}, 203.0.113.1")
    assert last.status_code == 429
    other = enter(Client(), PASSWORD, address="10.1.2.3", HTTP_X_FORWARDED_FOR="203.0.113.1, 203.0.113.2")
    assert other.status_code == 302


def test_logging_in_leads_to_a_page_that_is_there(fiona):
    client = Client()
    response = enter(client, PASSWORD)

    assert response.url == "/admin/"
    assert client.get(response.url).status_code == 200


def test_one_s_own_password_cannot_be_guessed_by_who_has_the_session(hashed):
    client = administrator()
    User.objects.update(password="")
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    client.force_login(user)
    new = {"new_password1": "another long password", "new_password2": "another long password"}
    url = reverse("admin:password_change")

    statuses = [client.post(url, {"old_password": f"wrong {n}"} | new).status_code for n in range(5)]
    refused = client.post(url, {"old_password": PASSWORD} | new)

    assert statuses == [200, 200, 200, 200, 429]
    assert refused.status_code == 429
    assert "Too many attempts" in refused.content.decode()
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_one_s_own_password_is_changed(hashed):
    client = administrator()
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    client.force_login(user)
    page = client.get(reverse("admin:password_change"))
    changed = client.post(
        reverse("admin:password_change"),
        {"old_password": PASSWORD, "new_password1": "another long password", "new_password2": "another long password"},
    )

    assert page.status_code == 200
    assert (changed.status_code, changed.url) == (302, reverse("admin:password_change_done"))
    user.refresh_from_db()
    assert user.check_password("another long password")
