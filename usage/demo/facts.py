"""Facts about the demo for scripts and new users: logins, and per dialect the URL, headers and ids to send."""

import base64
from typing import Any

from django.contrib.auth.models import User

from billing import keys
from billing.models import Workspace
from usage.demo.data import ALIAS, CALLS, CODE, ROLES, SEATS, id_of, key_of, password_of


def facts() -> dict[str, Any]:
    """Return the demo's workspace, its logins, and per dialect the URL, headers and ids of requests.

    Logins whose password was changed are omitted; a key that is no longer usable is None.
    """
    live = Workspace.objects.select_related("twin").get(code=CODE, mode=Workspace.Mode.LIVE)
    return {
        "workspace": live.code,
        "admin": f"/admin/?workspace={live.pk}",
        "logins": [
            {"username": user.username, "password": password_of(user.username), "role": ROLES[user.username]}
            for user in User.objects.filter(username__in=ROLES).order_by("username")
            if user.check_password(password_of(user.username))
        ],
        "dialects": _dialects(live, _usable_key(live), _ids(live)),
    }


def _dialects(live: Workspace, key: str | None, ids: dict[str, Any]) -> dict[str, dict[str, Any]]:
    test_ids = _ids(live.twin)
    return {
        "piriod": {
            "base_url": "/piriod",
            "headers": {"Authorization": f"Token {key}", "x-simple-workspace": live.code},
            "test_mode_header": {"x-piriod-test-mode": "true"},
            "subscription_line": ids["counter_line"],
            "gauge_subscription_line": ids["gauge_line"],
            "test_subscription_line": test_ids["counter_line"],
        },
        "salesbricks_v2": _salesbricks("/salesbricks/api/v2", key, ids)
        | {
            "test_headers": {"X-SALESBRICKS-KEY": _usable_key(live.twin)},
            "test_subscription_id": test_ids["subscription"],
        },
        "salesbricks_v1": _salesbricks("/salesbricks/api/v1", key, ids),
        "rebilly": {
            "base_url": f"/rebilly/organizations/{live.code}",
            "headers": {"REB-APIKEY": key},
            "subscription_id": ids["counter_reference"],
        },
        "sequence": {
            "base_url": "/sequence/api",
            "headers": {"Authorization": f"Basic {_basic(key)}"},
            "customer_alias": ALIAS,
            "event_type": "media-processed",
            "property": "minutes",
        },
        "native": {
            "base_url": "/api",
            "headers": {"Authorization": f"Bearer {key}"},
            "line": ids["counter_line"],
            "line_reference": ids["counter_reference"],
            "customer_alias": ALIAS,
            "event_type": "media-processed",
        },
    }


def _salesbricks(base_url: str, key: str | None, ids: dict[str, Any]) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "headers": {"X-SALESBRICKS-KEY": key},
        "subscription_id": ids["subscription"],
        "counter_brick_id": ids["counter_brick"],
        "gauge_brick_id": ids["gauge_brick"],
    }


def _ids(workspace: Workspace) -> dict[str, Any]:
    """Return the ids of the first subscription, of a counter's line and a gauge's, and of their bricks."""
    subscription = workspace.subscriptions.get(pk=id_of(workspace, "subscription 1"))
    by_brick = {line.brick.name: line for line in subscription.lines.select_related("brick")}
    return {
        "subscription": str(subscription.pk),
        "counter_line": by_brick[CALLS.name].number,
        "counter_reference": by_brick[CALLS.name].reference,
        "gauge_line": by_brick[SEATS.name].number,
        "counter_brick": str(by_brick[CALLS.name].brick_id),
        "gauge_brick": str(by_brick[SEATS.name].brick_id),
    }


def _basic(key: str | None) -> str | None:
    """Return the credentials of HTTP basic authentication, with the key as the password."""
    return None if key is None else base64.b64encode(f"{CODE}:{key}".encode()).decode()


def _usable_key(workspace: Workspace) -> str | None:
    """Return the demo key's text, or None if it was revoked or SECRET_KEY has changed since."""
    text = key_of(workspace)
    return text if workspace.api_keys.filter(digest=keys.digest(text), revoked_at=None).exists() else None
