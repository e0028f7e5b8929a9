import os
import stat
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import settings

pytestmark = pytest.mark.once

PRODUCTION = {
    "DATABASE_URL": "postgres://arrears@db.example/arrears",
    "SECRET_KEY": "Zq8vN3xK1mT6wR9yB4hJ7sD2fG5aL0cE-uPiOtXnVbQzMkYw-oI3eU",
    "ALLOWED_HOSTS": "billing.example.com",
    "CELERY_BROKER_URL": "redis://queue.example/0",
    "HTTPS": "",
    "STATIC_COLLECTED": "",
    # Browser tests in the same process may have set it.
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
        (lambda: settings.envbool("X", default=False), "maybe", "X='maybe' is neither yes nor no: use 1 or 0."),
        (lambda: settings.envint("X", 1), "-1", "X='-1' is not a whole number of zero or more."),
        (lambda: settings.envint("X", 5, least=1), "0", "X='0' is not a whole number of 1 or more."),
        (lambda: settings.envint("X", 1), "²", "X='²' is not a whole number of zero or more."),
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
        ("postgres://db.example", "DATABASE_URL does not name a database."),
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


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "CELERY_BROKER_URL"])
def test_production_requires(name, tmp_path):
    checked = manage("check", tmp_path=tmp_path, **{**PRODUCTION, name: ""})
    assert checked.returncode == 1
    assert checked.stderr.splitlines()[-1].startswith(
        f"django.core.exceptions.ImproperlyConfigured: {name} must be set"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SECRET_KEY", "x", "SECRET_KEY can be guessed: use 50 or more random characters."),
        ("SECRET_KEY", "only-for-tests" * 3, "SECRET_KEY can be guessed: use 50 or more random characters."),
        ("SECRET_KEY", "0123456789" * 6, "SECRET_KEY can be guessed: use 50 or more random characters."),
        (
            "SECRET_KEY",
            "change-me-please-this-is-the-secret-key-of-our-billing-server-2026",
            "SECRET_KEY can be guessed: use 50 or more random characters.",
        ),
        ("SECRET_KEY", "ab" * 40, "SECRET_KEY can be guessed: use 50 or more random characters."),
        ("SECRET_KEY", f"django-insecure-{PRODUCTION['SECRET_KEY']}", "SECRET_KEY can be guessed: use 50 or more"),
        ("DEBUG", "1", "DEBUG=1 shows the code and its data to everybody: unset it in production."),
        ("ALLOWED_HOSTS", "*", "ALLOWED_HOSTS accepts any host with *: name the hosts that are served."),
        ("ALLOWED_HOSTS", "billing.example.com,*.example.com", "ALLOWED_HOSTS accepts any host with *: name the hosts"),
        ("CELERY_BROKER_URL", "", "CELERY_BROKER_URL must be set, such as redis://host:6379/0."),
        ("CELERY_BROKER_URL", "memory://", "CELERY_BROKER_URL names a broker that lives in one process: use redis://"),
        ("DIALECT_HOSTS", "*=piriod", "DIALECT_HOSTS accepts more than one host with * or a leading dot: name each"),
        ("DIALECT_HOSTS", ".example.com=piriod", "DIALECT_HOSTS accepts more than one host with * or a leading dot"),
        ("DIALECT_HOSTS", "a.example=rebilly,*.b.example=piriod", "DIALECT_HOSTS accepts more than one host with *"),
    ],
)
def test_production_refuses_what_is_unsafe(name, value, message, tmp_path):
    checked = manage("check", tmp_path=tmp_path, **{**PRODUCTION, name: value})

    assert checked.returncode == 1
    assert checked.stderr.splitlines()[-1].startswith(f"django.core.exceptions.ImproperlyConfigured: {message}")


def test_a_proxy_without_trusted_proxies_is_a_warning(tmp_path):
    behind = {**PRODUCTION, "TRUST_PROXY_HEADER": "1"}
    unnamed = manage("check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path, **behind)
    named = manage(
        "check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path, **behind, TRUSTED_PROXIES="10.0.0.1"
    )

    assert "(billing.W002) All log-ins seem to come from the proxy's address." in unnamed.stderr
    assert (unnamed.returncode, named.returncode) == (1, 0)


def test_hsts_is_preloaded_only_where_it_is_wanted(tmp_path):
    asked = ("shell", "--no-imports", "-c", "from django.conf import settings; print(settings.SECURE_HSTS_PRELOAD)")

    assert manage(*asked, tmp_path=tmp_path, **PRODUCTION).stdout == "False\n"
    assert manage(*asked, tmp_path=tmp_path, **PRODUCTION, HSTS_PRELOAD="1").stdout == "True\n"


def test_a_demo_is_refused_in_production(tmp_path):
    refused = manage("demo", tmp_path=tmp_path, **PRODUCTION)

    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: DATABASE_URL is set: a demo in a production database creates a")


@pytest.mark.parametrize("named", ["10.0.0.0/8,192.0.2.7", "2001:db8::/32"])
def test_networks_are_read(monkeypatch, named):
    monkeypatch.setenv("PROXIES", named)

    assert [str(network) for network in settings.envnetworks("PROXIES")] == [
        entry if "/" in entry else f"{entry}/32" for entry in named.split(",")
    ]


@pytest.mark.parametrize("named", ["10.0.0.1/8", "proxy.example", "10.0.0.0/99"])
def test_an_invalid_network_is_refused(monkeypatch, named):
    monkeypatch.setenv("PROXIES", named)

    with pytest.raises(ImproperlyConfigured, match="^PROXIES must be a list of addresses and networks: "):
        settings.envnetworks("PROXIES")


def modes(folder):
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


EMBEDDED = {
    "DATABASE_URL": "",
    "SECRET_KEY": "",
    "ALLOWED_HOSTS": "",
    "CELERY_BROKER_URL": "",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "",
}
# Writes to the database while another connection reads it, so that both WAL files exist.
WRITE = """
from django.db import connection
from config.celery import app
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE t (a)")
    cursor.execute("INSERT INTO t VALUES (1)")
app.send_task("usage.sweep")
import os, pathlib, shelve
shelve.open(os.environ["ARREARS_VAR"] + "/beat-schedule").close()
for path in pathlib.Path(os.environ["ARREARS_VAR"]).rglob("*"):
    print(path.relative_to(os.environ["ARREARS_VAR"]), oct(path.stat().st_mode & 0o777), path.is_dir())
"""


def test_only_its_owner_reads_what_the_embedded_program_keeps(tmp_path):
    var = tmp_path / "var"
    written = manage("shell", "--no-imports", "-c", WRITE, tmp_path=var, **EMBEDDED)

    found = {name: (mode, is_dir == "True") for name, mode, is_dir in map(str.split, written.stdout.splitlines())}
    assert {"arrears.sqlite3", "arrears.sqlite3-wal", "arrears.sqlite3-shm", "secret_key", "queue"} <= found.keys()
    assert any(name.startswith("beat-schedule") for name in found)
    assert any(name.startswith("queue/messages/") for name in found)
    assert {mode for mode, is_dir in found.values() if is_dir} == {"0o700"}
    assert {mode for mode, is_dir in found.values() if not is_dir} == {"0o600"}
    assert stat.S_IMODE(var.stat().st_mode) == 0o700


def test_files_with_wider_permissions_are_restricted(tmp_path):
    var = tmp_path / "var"
    (var / "queue" / "messages").mkdir(parents=True)
    for name in ("arrears.sqlite3", "arrears.sqlite3-wal", "secret_key", "beat-schedule.db"):
        (var / name).write_text("a" * 60 if name == "secret_key" else "")
    for path in (var, *var.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)

    settings.keep_private(var)

    assert set(modes(var).values()) == {0o700, 0o600}
    assert {mode for name, mode in modes(var).items() if name in (".", "queue", "queue/messages")} == {0o700}


def test_a_folder_of_everybody_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o1777)
    (tmp_path / "arrears.sqlite3").touch(mode=0o644)

    settings.keep_private(tmp_path)

    assert modes(tmp_path) == {".": 0o1777, "arrears.sqlite3": 0o600}


def test_production_passes_the_deployment_check(tmp_path):
    checked = manage("check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path, **PRODUCTION)
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (1 silenced).\n")


def test_migrations_match_the_models(tmp_path):
    checked = manage("makemigrations", "--check", "--dry-run", tmp_path=tmp_path, DATABASE_URL="")
    assert (checked.returncode, checked.stdout) == (0, "No changes detected\n")


@pytest.mark.parametrize("is_there", [False, True], ids=["made", "there with wider rights"])
def test_only_its_owner_reads_a_sqlite_file_of_production(is_there, tmp_path):
    path = tmp_path / "data" / "arrears.sqlite3"
    path.parent.mkdir()
    if is_there:
        path.touch(mode=0o644)
        path.chmod(0o644)
    var = tmp_path / "var"

    written = manage(
        "shell", "--no-imports", "-c", WRITE_ONE, tmp_path=var, **{**PRODUCTION, "DATABASE_URL": f"sqlite:///{path}"}
    )

    assert written.stdout.split() == ["arrears.sqlite3", "0o600", "arrears.sqlite3-shm", "0o600"] + [
        "arrears.sqlite3-wal",
        "0o600",
    ]


WRITE_ONE = """
import pathlib
from django.conf import settings
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE t (a)")
for path in sorted(pathlib.Path(settings.DATABASES["default"]["NAME"]).parent.iterdir()):
    print(path.name, oct(path.stat().st_mode & 0o777))
"""
