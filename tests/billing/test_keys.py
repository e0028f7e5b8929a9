from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from billing.keys import (
    LAST_USE_RESOLUTION,
    UnableToCreateKey,
    create_key,
    digest,
    find_key,
    forget_noted,
    revoke_key,
    update_key,
    with_last_use,
)
from billing.models import ApiKey, ApiKeyUse
from tests import factories as make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_key_finds_its_workspace_and_the_twins_key_the_twin():
    live = make.workspace()

    found = [find_key(text=make.api_key(workspace), as_of=NOW) for workspace in (live, live.twin)]

    assert [key.workspace for key in found] == [live, live.twin]
    assert [(key.workspace.mode, key.workspace.live_id, key.workspace.tz.key) for key in found] == [
        ("live", None, "UTC"),
        ("test", live.pk, "UTC"),
    ]
    assert [str(key) for key in found] == [str(key) for key in ApiKey.objects.order_by("id")]


def test_made_key_tells_its_mode_and_differs_from_any_other():
    live = make.workspace()
    texts = [make.api_key(live), make.api_key(live), make.api_key(live.twin)]

    assert [text[:9] for text in texts] == ["ark_live_", "ark_live_", "ark_test_"]
    assert [len(text) for text in set(texts)] == [41, 41, 41]


@pytest.mark.parametrize("given", [None, "sk-7Qm2xV9tL4-bR8kZ1wNcY", "ark_live_5e0c9a7f13d84b26a1f0937ce8d2"])
def test_text_is_not_kept_only_its_digest_and_a_few_characters(given):
    key, text = create_key(workspace=make.workspace(), name="importer", actor=make.actor("ada"), text=given)

    row = ApiKey.objects.values().get()
    assert [name for name, value in row.items() if text in str(value)] == []
    assert (row["digest"], row["name"], row["created_by"]) == (digest(text), "importer", "ada")
    assert text.startswith(row["prefix"])
    assert str(key) == f"importer ({row['prefix']}…)"


@pytest.mark.parametrize("given", ["0a5f3c91e7b2d846", "ark_7d20f9c4e1b6", "ark_live_x7Qm2vT"])
def test_prefix_of_a_given_text_leaves_a_secret(given):
    key, _ = create_key(workspace=make.workspace(), name="importer", actor=make.actor("ada"), text=given)

    assert key.prefix == given[:4]


@pytest.mark.bound("a token that is taken over as a key")
@pytest.mark.parametrize(
    "given",
    [
        "",
        "0123456789abcde",
        " 0123456789abcdef",
        "0123456789abcdef\n",
        "01234567 89abcdef",
        "0123456789\tabcdef",
        "0123456789abcdefä",
        "0123456789\0abcdef",
    ],
)
def test_given_text_that_is_short_or_no_token_is_refused(given):
    with pytest.raises(UnableToCreateKey) as refusal:
        create_key(workspace=make.workspace(), name="importer", actor=make.actor("ada"), text=given)

    assert refusal.value.message_dict == {"text": ["A key has at least 16 characters and no white space."]}
    assert not ApiKey.objects.exists()


@pytest.mark.bound("a token that is taken over as a key")
@pytest.mark.parametrize("given", ["aaaaaaaaaaaaaaaa", "0123456789abcdef", "password12345678"])
def test_given_text_that_can_be_guessed_is_refused(given):
    with pytest.raises(UnableToCreateKey) as refusal:
        create_key(workspace=make.workspace(), name="importer", actor=make.actor("ada"), text=given)

    assert refusal.value.message_dict == {"text": ["This key can be guessed: use a random one, or leave this empty."]}
    assert not ApiKey.objects.exists()


@pytest.mark.bound("a token that is taken over as a key")
def test_given_text_of_16_characters_is_taken():
    assert make.api_key(make.workspace(), text="0a5f3c91e7b2d846") == "0a5f3c91e7b2d846"
    assert find_key(text="0a5f3c91e7b2d846", as_of=NOW) is not None


def test_text_in_use_is_refused_even_elsewhere_and_after_it_was_revoked():
    first, text = create_key(workspace=make.workspace(), name="old", actor=make.actor("ada"))
    revoke_key(key=first, as_of=NOW, actor=make.ACTOR)

    with pytest.raises(UnableToCreateKey) as refusal:
        make.api_key(make.workspace("other"), text=text)

    assert refusal.value.message_dict == {"text": ["This key is already in use."]}
    assert ApiKey.objects.get() == first


@pytest.mark.parametrize("change", [str.upper, lambda text: f"{text} ", lambda text: text[:-1], lambda text: ""])
def test_other_text_finds_nothing(change):
    text = make.api_key(make.workspace(), text="sk-7Qm2xV9tL4-bR8kZ1")

    assert find_key(text=change(text), as_of=NOW) is None


@pytest.mark.parametrize("text", ["ä", "\0", "\udcff", "x" * 100_000])
def test_text_that_is_no_key_at_all_finds_nothing(text):
    assert find_key(text=text, as_of=NOW) is None


def test_revoked_key_finds_nothing_and_stays_listed():
    key, text = create_key(workspace=make.workspace(), name="old", actor=make.actor("ada"))

    revoke_key(key=key, as_of=NOW, actor=make.ACTOR)

    assert find_key(text=text, as_of=NOW) is None
    assert (key.revoked_at, with_last_use(ApiKey.objects).get().last_used_at) == (NOW, None)


def test_revoking_again_keeps_the_first_moment():
    key, _ = create_key(workspace=make.workspace(), name="old", actor=make.actor("ada"))

    revoke_key(key=key, as_of=NOW, actor=make.ACTOR)
    revoke_key(key=key, as_of=NOW + timedelta(days=1), actor=make.ACTOR)

    assert key.revoked_at == ApiKey.objects.get().revoked_at == NOW


@pytest.mark.parametrize(
    ("later", "noted"),
    [
        (timedelta(0), timedelta(0)),
        (LAST_USE_RESOLUTION, timedelta(0)),
        (LAST_USE_RESOLUTION + timedelta(microseconds=1), LAST_USE_RESOLUTION + timedelta(microseconds=1)),
        (timedelta(days=30), timedelta(days=30)),
        (-timedelta(hours=1), timedelta(0)),
    ],
)
def test_last_use_is_noted_to_the_minute(later, noted):
    text = make.api_key(make.workspace())
    find_key(text=text, as_of=NOW)

    find_key(text=text, as_of=NOW + later)

    assert with_last_use(ApiKey.objects).get().last_used_at == NOW + noted


@pytest.mark.parametrize(
    ("later", "noted", "queries"),
    [
        (timedelta(seconds=40), timedelta(0), 3),
        (LAST_USE_RESOLUTION, timedelta(0), 3),
        (LAST_USE_RESOLUTION + timedelta(microseconds=1), LAST_USE_RESOLUTION + timedelta(microseconds=1), 2),
    ],
)
def test_last_use_is_noted_once_a_minute_by_several_processes(later, noted, queries, django_assert_num_queries):
    text = make.api_key(make.workspace())
    find_key(text=text, as_of=NOW)
    forget_noted()

    with django_assert_num_queries(queries):
        find_key(text=text, as_of=NOW + later)
    assert ApiKeyUse.objects.get().last_used_at == NOW + noted


def test_last_use_that_another_process_has_noted_is_followed_by_the_next_after_a_minute(django_assert_num_queries):
    text = make.api_key(make.workspace())
    find_key(text=text, as_of=NOW)
    forget_noted()
    find_key(text=text, as_of=NOW + timedelta(seconds=40))

    with django_assert_num_queries(1):
        find_key(text=text, as_of=NOW + timedelta(seconds=60))
    with django_assert_num_queries(2):
        find_key(text=text, as_of=NOW + timedelta(seconds=61))

    assert ApiKeyUse.objects.get().last_used_at == NOW + timedelta(seconds=61)


def test_each_key_has_its_own_last_use_in_its_workspace():
    live = make.workspace()
    texts = [make.api_key(live), make.api_key(live), make.api_key(live.twin)]
    for minute, text in enumerate(texts[1:]):
        find_key(text=text, as_of=NOW + timedelta(minutes=minute))

    listed = with_last_use(ApiKey.objects.order_by("id")).values_list("workspace", "last_used_at")
    assert list(listed) == [(live.pk, None), (live.pk, NOW), (live.twin.pk, NOW + timedelta(minutes=1))]


def test_key_in_steady_use_costs_one_query(django_assert_num_queries):
    text = make.api_key(make.workspace())
    find_key(text=text, as_of=NOW)

    with django_assert_num_queries(1):
        found = find_key(text=text, as_of=NOW + timedelta(seconds=1))
        assert found.workspace.code == "acme"


def test_key_is_trusted_for_a_second_without_asking_again(django_assert_num_queries):
    text = make.api_key(make.workspace())
    first = find_key(text=text, as_of=NOW)

    with django_assert_num_queries(0):
        assert find_key(text=text, as_of=NOW + timedelta(milliseconds=999)) == first
    with django_assert_num_queries(1):
        assert find_key(text=text, as_of=NOW + timedelta(seconds=1)) == first


def test_revoked_key_is_not_trusted_for_the_rest_of_its_second():
    text = make.api_key(make.workspace())
    key = find_key(text=text, as_of=NOW)

    revoke_key(key=key, as_of=NOW, actor=make.ACTOR)

    assert find_key(text=text, as_of=NOW) is None


def test_what_is_given_of_a_key_is_changed_and_the_rest_stays():
    key, _ = create_key(workspace=make.workspace(), name="a service", actor=make.actor("tests"))

    assert update_key(key=key, requests_per_minute=600, actor=make.ACTOR).requests_per_minute == 600
    changed = update_key(key=key, name="another service", actor=make.ACTOR)
    assert (changed.name, changed.requests_per_minute, changed.prefix) == ("another service", 600, key.prefix)
    assert update_key(key=key, requests_per_minute=None, actor=make.ACTOR).requests_per_minute is None
    assert ApiKey.objects.get().name == "another service"


@pytest.mark.django_db(transaction=True)
def test_a_changed_limit_holds_at_once_in_the_process_that_changes_it():
    key, text = create_key(workspace=make.workspace(), name="a service", actor=make.actor("tests"))
    assert find_key(text=text, as_of=NOW).requests_per_minute is None

    update_key(key=key, requests_per_minute=5, actor=make.ACTOR)

    assert find_key(text=text, as_of=NOW).requests_per_minute == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
    ],
)
def test_a_change_of_a_key_is_refused_on_its_field(changes, field):
    key, _ = create_key(workspace=make.workspace(), name="a service", actor=make.actor("tests"))

    with pytest.raises(ValidationError) as refusal:
        update_key(key=key, **changes, actor=make.ACTOR)

    assert list(refusal.value.message_dict) == [field]
    assert (ApiKey.objects.get().name, ApiKey.objects.get().requests_per_minute) == ("a service", None)
