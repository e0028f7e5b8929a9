"""No form makes a page of the panel fail, whatever is posted in the place of what it shows: it is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from billing.models import CloseRun, PriceTier
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import close
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HUGE = "9" * 20
# What names rows, alone or in the rows of a row.
KEYS = {"id", "shown_workspace", "customer", "subscription", "brick", "price", "line", "groups", "permissions"}
KEYS |= {"user_permissions", "INITIAL_FORMS", "TOTAL_FORMS"}


def pages() -> Iterator[str]:
    """Give the pages with a form, of a workspace that has a row of each kind."""
    line = make.line(make.workspace(), model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    assert PriceTier.objects.count() == 2
    customer = make.customer(line.workspace, "Initech", aliases=["ini", "tech"])
    brick = make.event_brick(line.workspace)
    record = make.use(line, "3", "2026-01-10").id
    close(line.workspace, "2026-02-01")
    group = Group.objects.create(name="Finance")
    group.permissions.add(Permission.objects.earliest("pk"))
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.add(group)
    make.api_key(line.workspace)
    subscription = line.subscription_id
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label):
        if model not in (CloseRun, UsageRecord) and model._meta.app_label in ("auth", "billing"):
            yield from added(model)
    yield reverse("admin:billing_closerun_add")
    yield f"{reverse('admin:usage_usagerecord_add')}?customer={line.subscription.customer_id}"
    changed = {"customer": customer, "subscription": line.subscription, "brick": brick, "price": line.price}
    for name, row in {**changed, "workspace": line.workspace}.items():
        yield reverse(f"admin:billing_{name}_change", args=[row.pk])
    yield reverse("admin:auth_user_change", args=[user.pk])
    yield reverse("admin:auth_group_change", args=[group.pk])
    yield reverse("admin:billing_subscription_add_line", args=[subscription])
    yield reverse("admin:billing_subscription_end", args=[subscription])
    yield reverse("admin:billing_line_end", args=[subscription, line.pk])
    yield reverse("admin:billing_price_copy", args=[line.price_id])
    yield reverse("admin:usage_usagerecord_correct", args=[record])
    yield reverse("admin:usage_usagerecord_retract", args=[record])


def added(model: Any) -> Iterator[str]:
    if model._meta.model_name not in ("invoice", "user"):
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def status_of(client: Client, url: str, posted: dict[str, Any]) -> int:
    """Post a form, and take back what came of it: every one is of the page as it was shown."""
    with transaction.atomic():
        status = client.post(url, posted).status_code
        transaction.set_rollback(True)
    return status


def test_no_form_fails_whatever_is_posted():
    client, failed, forged_fields = administrator(), [], set()
    client.raise_request_exception = False
    for url in list(pages()):
        shown = page_of(client, url)
        # Rows of a row are looked at only where something was changed in them.
        form = shown | {name: "changed" for name in shown if name.endswith(("-value", "-up_to", "-unit_price"))}
        keys = [name for name in shown if name.rpartition("-")[2] in KEYS]
        forged_fields.update(keys)
        # Each by itself, since a form looks no further than a count of rows that it can't read; and all at once.
        forgeries = [{name: HUGE} for name in keys]
        forgeries += [{name: "zzz"} for name in keys if "-0-" in name]
        forgeries += [dict.fromkeys((name for name in keys if not name.endswith("_FORMS")), "zzz")]
        for forged in forgeries:
            if status_of(client, url, form | forged) >= 500:
                failed.append((url, forged))

    assert failed == []
    assert {"permissions", "user_permissions", "groups", "aliases-0-customer", "aliases-0-id"} <= forged_fields
    assert {"tiers-0-price", "tiers-0-id", "shown_workspace", "line", "brick", "price", "customer"} <= forged_fields
