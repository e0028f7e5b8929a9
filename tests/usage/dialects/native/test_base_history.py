"""Every change by a key is in the history under that key, whichever path of the API made it."""

import pytest

from billing import actors, contracts, parties
from billing.models import ApiKey, Change
from tests import factories as make
from tests.scenarios.closing import close
from tests.usage.dialects.native.client import Native
from usage.dialects.native.urls import urlpatterns

pytestmark = pytest.mark.django_db

# The ledger is its own history.
OF_USAGE = ("usage/", "usage/batch/", "usage/<str:record_id>/")


def writing_paths():
    """Every path and method by which the API changes anything but usage."""
    return {
        (str(pattern.pattern), method)
        for pattern in urlpatterns
        for method in ("post", "put", "patch", "delete")
        if hasattr(pattern.callback.cls, method) and str(pattern.pattern) not in OF_USAGE
    }


def calls(workspace):
    """Each path, its method, the ids in the path and what is sent."""
    customer, brick, idle = make.customer(workspace), make.brick(workspace), make.brick(workspace, "Idle")
    price, agreed = make.price(brick), make.subscription(customer)
    alias = parties.add_alias(customer=customer, value="tenant-9", actor=make.ACTOR)
    line = contracts.add_line(subscription=agreed, brick=brick, price=price, actor=make.ACTOR)
    ends = {"ends_at": "2026-06-01T00:00:00Z"}
    yield "customers/", "post", [], {"name": "Initech"}
    yield "customers/<str:customer_id>/", "patch", [customer.pk], {"email": "new@globex.example"}
    yield "customers/<str:customer_id>/aliases/", "post", [customer.pk], {"value": "tenant-10"}
    yield "customers/<str:customer_id>/aliases/<str:alias_id>/", "delete", [customer.pk, alias.pk], None
    yield "bricks/", "post", [], {"name": "Seats", "aggregation": "unit_days"}
    yield "bricks/<str:brick_id>/", "patch", [brick.pk], {"unit_label": "calls"}
    yield "prices/", "post", [], {"brick": str(idle.pk), "model": "per_unit", "unit_price": "2"}
    terms = {"brick": str(idle.pk), "price": {"model": "per_unit", "unit_price": "2"}}
    yield "subscriptions/<str:subscription_id>/lines/", "post", [agreed.pk], terms
    yield "bricks/<str:brick_id>/archive/", "post", [idle.pk], None
    yield "subscriptions/", "post", [], {"customer": str(customer.pk), "starts_on": "2026-02-01"}
    limits = {"limits": {"hard": {"quantity": "5"}}}
    yield "subscriptions/<str:subscription_id>/lines/<str:line_id>/", "patch", [agreed.pk, line.number], limits
    yield "subscriptions/<str:subscription_id>/lines/<str:line_id>/end/", "post", [agreed.pk, line.number], ends
    yield "subscriptions/<str:subscription_id>/end/", "post", [agreed.pk], ends
    run = close(workspace, "2026-02-01")
    yield "close-runs/<str:run_id>/discard/", "post", [run.pk], None
    run = close(workspace, "2026-02-01")
    yield "close-runs/<str:run_id>/issue/", "post", [run.pk], None
    yield "close-runs/", "post", [], {"until": "2026-02-28"}


def test_each_change_by_a_key_names_the_key():
    workspace = make.workspace()
    api = Native(workspace)
    key = actors.api_key(ApiKey.objects.get(), via="native")
    called, untraced = set(), []
    for path, method, ids, body in calls(workspace):
        last = Change.objects.latest("id").pk
        at = path
        for name in ids:
            at = at.replace(at[at.index("<") : at.index(">") + 1], str(name), 1)

        response = api(method.upper(), at, body)

        assert response.status_code < 300, (path, response.content)
        called.add((path, method))
        who = set(Change.objects.filter(pk__gt=last).values_list("actor_kind", "actor_id", "actor_name", "via"))
        if who != {(key.kind, key.id, key.name, "native")}:
            untraced.append((path, method, who))

    assert untraced == []
    assert called == writing_paths()
