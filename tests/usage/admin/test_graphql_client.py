"""The panel's GraphQL client, as far as it is told without a browser."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse
from graphql import build_client_schema, print_schema

from tests import factories as make
from tests.billing.admin.staff import client_of, queries_of
from usage.dialects.salesbricks_v1.schema import SDL

pytestmark = pytest.mark.django_db

URL = "/admin/graphql/"


def told(response):
    """Return what the page tells its script."""
    (text,) = re.findall(r'<script id="graphql-client-settings"[^>]*>(.*?)</script>', response.content.decode())
    return json.loads(text)


def operations(response) -> list[str]:
    return [re.findall(r"mutation (\w+)", operation)[0] for operation in told(response)["operations"]]


def test_the_page_is_for_staff(client):
    response = client.get(URL)

    assert (response.status_code, response.url) == (302, f"/admin/login/?next={URL}")


def test_the_client_opens_with_the_endpoint_the_schema_and_both_mutations():
    response = client_of().get(URL)

    assert reverse("graphql_client") == URL
    assert "http://testserver/salesbricks/api/v1/usage" in response.content.decode()
    assert told(response)["endpoint"] == "/salesbricks/api/v1/usage"
    assert operations(response) == ["IncrementCounter", "SetGauge"]
    assert print_schema(build_client_schema(told(response)["schema"])) == SDL.strip()


@pytest.mark.parametrize(("aggregation", "operation"), [("sum", "IncrementCounter"), ("unit_days", "SetGauge")])
def test_of_a_line_its_brick_and_subscription_are_filled_in(aggregation, operation):
    line = make.line(aggregation=aggregation)

    response = client_of("billing.view_subscription").get(f"{URL}?line={line.pk}")

    (written,) = told(response)["operations"]
    assert operations(response) == [operation]
    assert f'subscriptionId: "{line.subscription_id}"' in written
    assert f'brickId: "{line.brick_id}"' in written


@pytest.mark.parametrize("text", ["{line}", "0", "-1", "x", "٣", "9" * 19, ""])
def test_who_may_see_no_such_line_gets_the_empty_mutations(text):
    line = make.line()
    user = client_of(*[] if text == "{line}" else ["billing.view_subscription"])

    response = user.get(f"{URL}?line={text.format(line=line.pk)}")

    assert operations(response) == ["IncrementCounter", "SetGauge"]
    assert str(line.subscription_id) not in response.content.decode()


def test_a_line_takes_one_query():
    line, user = make.line(), client_of("billing.view_subscription")

    assert queries_of(user, f"{URL}?line={line.pk}") == queries_of(user, URL) + 1


def test_the_subscriptions_page_leads_to_the_client_for_lines_that_take_entries():
    line, fee = make.line(), make.line(make.workspace("other"), aggregation="none", model="flat")
    user = client_of("billing.view_subscription")

    def links(of):
        page = user.get(reverse("admin:billing_subscription_change", args=[of.subscription_id]))
        return re.findall(rf'href="({URL}[^"]*)">GraphQL', page.content.decode())

    assert (links(line), links(fee)) == ([f"{URL}?line={line.pk}"], [])


def test_the_clients_files_can_be_collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)

    page = client_of().get(URL).content.decode()

    files = [path for path in re.findall(r'(?:src|href)="/static/([^"]+)"', page) if path.startswith("usage/")]
    assert len(files) == 6
    assert all(re.search(r"\.[0-9a-f]{12}\.(js|css)$", file) and Path(tmp_path, file).exists() for file in files)
