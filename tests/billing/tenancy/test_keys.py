"""References within a workspace: looked up, prefetched and validated by workspace as well as by id."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Customer, CustomerAlias, Line
from billing.tenancy.keys import of_workspaces
from tests import factories as make

pytestmark = pytest.mark.django_db


def statements_of(ask) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        ask()
    return [statement["sql"] for statement in captured]


def test_rows_of_one_workspace_are_filtered_by_it_and_those_of_several_by_all():
    assert of_workspaces([Customer(workspace_id=7), Customer(workspace_id=7)]) == {"workspace_id": 7}
    assert of_workspaces([Customer(workspace_id=9), Customer(workspace_id=7)]) == {"workspace_id__in": [7, 9]}


@pytest.mark.parametrize(
    "ask",
    [
        lambda line: Line.objects.get(pk=line.pk, workspace=line.workspace_id).subscription,
        lambda line: list(line.subscription.lines.all()),
        lambda line: list(Line.objects.filter(workspace=line.workspace_id).select_related("subscription__customer")),
        lambda line: list(Line.objects.filter(workspace=line.workspace_id).prefetch_related("subscription__customer")),
        lambda line: list(line.subscription.customer.subscriptions.prefetch_related("lines")),
    ],
    ids=["forward", "backward", "joined", "prefetched", "prefetched backward"],
)
def test_each_statement_names_the_workspace_of_each_table(ask):
    line = make.line()

    for sql in statements_of(lambda: ask(line)):
        tables = sql.count("JOIN") + 1
        assert sql.count('"workspace_id"') >= tables, sql
        assert f"= {line.workspace_id}" in sql or f"IN ({line.workspace_id})" in sql, sql


def test_a_prefetch_over_workspaces_gives_each_row_its_own():
    first, second = make.line(), make.line(make.workspace("initech"))

    lines = Line.objects.filter(workspace__in=[first.workspace_id, second.workspace_id]).prefetch_related(
        "subscription"
    )

    assert {line.pk: line.subscription for line in lines} == {
        first.pk: first.subscription,
        second.pk: second.subscription,
    }


def test_a_row_of_another_workspace_is_no_row_to_refer_to():
    here, there = make.customer(make.workspace()), make.customer(make.workspace("initech"))
    CustomerAlias(workspace=here.workspace, customer=here, value="gx").full_clean()

    with pytest.raises(ValidationError) as refusal:
        CustomerAlias(workspace=here.workspace, customer=there, value="gx").full_clean()

    assert list(refusal.value.message_dict) == ["customer"]


def test_a_join_leads_to_no_row_of_another_workspace():
    here, there = make.line(), make.line(make.workspace("initech"))

    found = Line.objects.filter(workspace=here.workspace_id, subscription__customer=there.subscription.customer)

    assert not found.exists()
    assert list(here.subscription.lines.filter(workspace=there.workspace_id)) == []
