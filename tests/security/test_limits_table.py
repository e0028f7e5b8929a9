"""Limits of the README's table, tried at the limit and above it, unless another test does.

The mark ``bound`` names the limits that a test tries.
"""

import ast
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as given
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.urls import reverse
from granian.http import HTTP1Settings

from billing import keys
from billing.models import CloseItem, Price, Subscription
from billing.people.devices import device_in, mark_of
from billing.storage import jsontext
from config import web
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import close, close_and_issue
from tests.usage.dialects.native.client import Native, wrong
from usage import tasks
from usage.admin import record_filters
from usage.closing.work import TOOK_TOO_LONG
from usage.dialects.salesbricks_v1 import operations
from usage.dialects.shared import idempotency, request_body

ROOT = Path(__file__).resolve().parents[2]
# Settings whose names differ from their variables.
CALLED = {"FORM_BODY_BYTES": "DATA_UPLOAD_MAX_MEMORY_SIZE", "FORM_FIELDS": "DATA_UPLOAD_MAX_NUMBER_FIELDS"}
# Limits without a setting, by their constants in the code.
FIXED = {
    "--backpressure": web.CONNECTIONS,
    "--http1-header-read-timeout": HTTP1Settings().header_read_timeout,
    "a token that is taken over as a key": keys.SHORTEST_GIVEN,
    "characters of a GraphQL query": operations.MAX_CHARACTERS,
    "characters of an idempotency key": idempotency.LONGEST_KEY,
    "customers, and lines, that a search among the panel's usage looks through": record_filters.MOST_LINES,
    "digits of a number in properties, on either side of the point": jsontext.MAX_DIGITS,
    "digits of a quantity": 15,
    "encodings of a body, one around the other": request_body.MAX_ENCODINGS,
    "fields at the root of a GraphQL query": operations.MAX_ROOTS,
    "fields of a GraphQL query, its fragments written out": operations.MAX_FIELDS,
    "levels of a GraphQL query": operations.MAX_LEVELS,
    "levels of what is nested in properties": jsontext.MAX_LEVELS,
    "members of a body in gzip": request_body.MAX_MEMBERS,
    "rows of a page": 100,
    "tokens of a GraphQL query": operations.MAX_TOKENS,
}


def table() -> dict[str, str]:
    """Return the README's limits by setting, or by description if they have none, each with its default."""
    section = (ROOT / "README.md").read_text().partition("## Limits\n")[2].partition("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    named = {}
    for what, setting, default, _ in rows:
        found = re.match(r"`([^`]+)`", setting)
        assert found or setting == "-", what
        named[found[1] if found else what] = default
    assert len(named) == len(rows)
    return named


def tried() -> set[str]:
    """Return the limits that marked tests try."""
    marks = (
        call
        for path in (ROOT / "tests").rglob("test_*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.bound"
    )
    return {str(ast.literal_eval(argument)) for call in marks for argument in call.args}


def test_every_limit_is_tried_and_what_is_tried_is_in_the_table():
    assert tried() == table().keys()


def test_the_table_gives_the_defaults():
    wrong_ones = {}
    for name, default in table().items():
        value = FIXED[name] if name in FIXED else getattr(given, CALLED.get(name, name))
        number = re.match(r"[\d,]+", default)
        if number is None or int(number[0].replace(",", "")) != value:
            wrong_ones[name] = (default, value)

    assert wrong_ones == {}


def test_each_setting_of_the_table_is_an_environment_variable():
    settings = set(re.findall(r'env(?:int|str)\("([A-Z_]+)"', (ROOT / "config" / "settings.py").read_text()))

    assert table().keys() - FIXED.keys() <= settings
    assert not FIXED.keys() & settings
    assert FIXED.keys() <= table().keys()


@pytest.mark.django_db
@pytest.mark.bound("FORM_FIELDS")
def test_a_form_and_a_query_have_as_many_fields_as_the_limit_and_not_more(settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 5
    api, panel = Native(make.workspace()), administrator()
    url, fields = reverse("admin:billing_customer_add"), [f"field-{n}" for n in range(6)]

    assert api.get("usage/?page_size=1&state=all&key=a&order_by=b&a=c").status_code == 422
    assert api.get("usage/?page_size=1&state=all&key=a&order_by=b&a=c&d=e").status_code == 400
    assert panel.post(url, dict.fromkeys(fields[:5], "")).status_code == 200
    refused = panel.post(url, dict.fromkeys(fields, ""))
    assert refused.status_code == 400
    assert "more than 5 fields" in refused.content.decode()


@pytest.mark.django_db
@pytest.mark.bound("digits of a quantity")
def test_a_quantity_has_as_many_digits_as_the_limit_and_not_more():
    line = make.line()
    api, of = Native(line.workspace), {"line": line.number, "occurred_at": "2026-07-16T10:00:00Z"}

    assert api.post("usage/", **of, quantity="9" * 15 + "." + "9" * 9).status_code == 201
    for quantity in ("1" + "0" * 15, "0." + "0" * 9 + "1"):
        refused = api.post("usage/", **of, quantity=quantity)
        assert (refused.status_code, [*wrong(refused)[1]]) == (422, ["quantity"])


@pytest.mark.django_db
@pytest.mark.bound("LINES_PER_REQUEST")
def test_a_subscription_is_made_with_as_many_lines_as_the_limit_and_not_with_more():
    owner = make.workspace()
    api, customer = Native(owner), make.customer(owner)
    bricks = [make.brick(owner, f"Brick {number}") for number in range(given.LINES_PER_REQUEST + 1)]
    lines = [{"brick": str(brick.pk), "price": {"model": "flat", "unit_price": "1"}} for brick in bricks]
    with time_machine.travel("2026-07-20T14:00:00Z", tick=False):
        of = {"customer": str(customer.pk), "starts_on": "2026-07-01"}
        refused = api.post("subscriptions/", **of, lines=lines)

        assert refused.status_code == 422
        assert [*wrong(refused)[1]] == ["lines"]
        assert not Subscription.objects.exists()
        assert not Price.objects.exists()
        assert api.post("subscriptions/", **of, lines=lines[1:]).status_code == 201


@pytest.mark.django_db
@pytest.mark.bound("TIERS_PER_PRICE")
def test_a_price_has_as_many_tiers_as_the_limit_and_not_more():
    owner = make.workspace()
    api, brick = Native(owner), make.brick(owner)
    tiers: list[dict[str, Any]] = [{"up_to": str(n), "unit_price": 1} for n in range(1, given.TIERS_PER_PRICE + 1)]
    of = {"brick": str(brick.pk), "model": "graduated"}
    refused = api.post("prices/", **of, tiers=[*tiers, {"unit_price": 2}])

    assert (refused.status_code, [*wrong(refused)[1]]) == (422, ["tiers"])
    assert not Price.objects.exists()
    assert api.post("prices/", **of, tiers=[*tiers[1:], {"unit_price": 2}]).status_code == 201


@pytest.mark.bound("LOGIN_DEVICE_DAYS")
def test_a_browser_is_known_for_so_many_days_and_no_longer():
    with time_machine.travel("2026-01-01T12:00:00Z", tick=False):
        mark = mark_of(account="fiona")
    with time_machine.travel("2026-04-01T12:00:00Z", tick=False):
        assert device_in(mark, account="fiona")
    with time_machine.travel("2026-04-01T12:00:01Z", tick=False):
        assert device_in(mark, account="fiona") is None


@contextmanager
def reading_takes(seconds: float, *words: str) -> Iterator[None]:
    """Delay each read statement that contains these words."""

    def sleep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if all(word in sql for word in words) and not sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            execute("SELECT pg_sleep(%s)", [seconds], many, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(sleep):
        yield


def measuring_takes(seconds: float) -> AbstractContextManager[None]:
    return reading_takes(seconds, "usage_usagerecord", "quantity")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.bound("CLOSE_STATEMENT_SECONDS")
@pytest.mark.parametrize(("seconds", "state"), [(0.2, "done"), (1.5, "parked")])
def test_a_statement_of_a_close_takes_as_long_as_the_limit_and_not_longer(settings, seconds, state):
    settings.CLOSE_STATEMENT_SECONDS = 1
    line = make.line()
    make.use(line, "3", "2026-01-10")
    with measuring_takes(seconds):
        run = close(line.workspace, "2026-02-01")

    item = run.items.get()
    assert item.state == state
    assert (item.reason == TOOK_TOO_LONG) is (state == CloseItem.State.PARKED)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.bound("JOB_STATEMENT_SECONDS")
def test_a_statement_of_a_job_takes_as_long_as_the_limit_and_not_longer(settings):
    settings.JOB_STATEMENT_SECONDS = 1
    line = make.line()
    make.use(line, "3", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    said = StringIO()
    with measuring_takes(0.2):
        call_command("replay", "--all", stdout=said)

    assert "identical" in said.getvalue()
    with measuring_takes(1.5), pytest.raises((OperationalError, CommandError)):
        call_command("replay", "--all", stdout=said)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.bound("JOB_STATEMENT_SECONDS")
@pytest.mark.parametrize("job", ["counting", "expiring"])
def test_a_statement_of_the_schedules_jobs_takes_as_long_as_the_limit_and_not_longer(settings, job):
    settings.JOB_STATEMENT_SECONDS = 1
    line = make.line()
    make.use(line, "3", "2026-01-10")
    run, word = {
        "counting": (tasks.count_usages, "usage_usagerecord"),
        "expiring": (tasks.expire_replies, "usage_storedreply"),
    }[job]
    with reading_takes(1.5, word), pytest.raises(OperationalError, match="statement timeout"):
        run()
    with reading_takes(0.2, word):
        run()
