import os
import stat
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import settings

PRODUCTION = {
    "DATABASE_URL": "postgres://arrears@db.example/arrears",
    "SECRET_KEY": "Zq8vN3xK1mT6wR9yB4hJ7sD2fG5aL0cE-uPiOtXnVbQzMkYw-oI3eU",
    "ALLOWED_HOSTS": "billing.example.com",
    "CELERY_BROKER_URL": "redis://queue.example/0",
    "HTTPS": "",
    "STATIC_COLLECTED": "",
    # The browser tests of the same process may have set it.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "",
}


def manage(*arguments, tmp_path, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE,
        env={**os.environ, "ARREARS_VAR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("value", "read"), [("1", True), ("Yes", True), ("0", False), ("off", False), ("", True)])
def test_envbool_reads_yes_and_no(monkeypatch, value, read):
    monkeypatch.setenv("FLAG", value)
    assert settings.envbool("FLAG", default=True) is read


def test_envlist_splits_at_commas(monkeypatch):
    monkeypatch.setenv("NAMES", "a.example, b.example,")
    assert settings.envlist("NAMES") == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("reader", "value", "message"),
    [
        (lambda: settings.envbool("X", default=False), "maybe", "X='maybe' is no yes or no: use 1 or 0."),
        (lambda: settings.envint("X", 1), "-1", "X='-1' is no whole number of zero or more."),
        (lambda: settings.envint("X", 1), "²", "X='²' is no whole number of zero or more."),
        (lambda: settings.envstr("X"), "", "X must be set."),
        (lambda: settings.envlist("X"), " , ", "X must be set: one or more values, separated by commas."),
    ],
)
def test_reader_refuses_nonsense_by_name(monkeypatch, reader, value, message):
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as refusal:
        reader()
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://db.example/arrears", "DATABASE_URL begins with 'mysql': use postgres:// or sqlite://."),
        ("arrears", "DATABASE_URL begins with '': use postgres:// or sqlite://."),
        ("postgres://db.example", "DATABASE_URL names no database."),
    ],
)
def test_database_refuses_what_it_cannot_serve(url, message):
    with pytest.raises(ImproperlyConfigured) as refusal:
        settings.database(url)
    assert str(refusal.value) == message


def test_database_decodes_a_socket_folder():
    parsed = settings.database("postgres://me:p%40ss@%2Frun%2Fpostgresql/arrears")
    assert (parsed["HOST"], parsed["USER"], parsed["PASSWORD"]) == ("/run/postgresql", "me", "p@ss")


def test_broker_refuses_an_unknown_scheme():
    with pytest.raises(ImproperlyConfigured):
        settings.broker_options("amqp")


def test_stored_secret_is_private_and_stays(tmp_path):
    path = tmp_path / "secret_key"
    secret = settings.stored_secret(path)
    assert settings.stored_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_production_requires(name, tmp_path):
    checked = manage("check", tmp_path=tmp_path, **{**PRODUCTION, name: ""})
    assert checked.returncode == 1
    assert checked.stderr.splitlines()[-1].startswith(
        f"django.core.exceptions.ImproperlyConfigured: {name} must be set"
    )


def test_production_passes_the_deployment_check(tmp_path):
    checked = manage("check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path, **PRODUCTION)
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


def test_migrations_match_the_models(tmp_path):
    checked = manage("makemigrations", "--check", "--dry-run", tmp_path=tmp_path, DATABASE_URL="")
    assert (checked.returncode, checked.stdout) == (0, "No changes detected\n")
