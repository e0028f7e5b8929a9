"""Appearance and sidebar of the panel. The sidebar follows the order in which finance staff work."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def allows(permission: str) -> Callable[[HttpRequest], bool]:
    """Return a callable that tells the sidebar whether a request's user has a permission."""

    def is_allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return is_allowed


def item(title: str, icon: str, model: str, *, page: str = "changelist") -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_{page}"),
        "permission": allows(f"{app}.view_{name}"),
    }


NAVIGATION = [
    {
        "items": [
            {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
            item("Customers", "groups", "billing.customer"),
            item("Subscriptions", "autorenew", "billing.subscription"),
        ],
    },
    {
        "title": "Bricks and prices",
        "items": [
            item("Bricks", "deployed_code", "billing.brick"),
            item("Prices", "sell", "billing.price"),
        ],
    },
    {
        "title": "Billing",
        "items": [
            item("Usage", "monitoring", "usage.usagerecord"),
            item("Closing", "event_available", "billing.closerun"),
            item("Invoices", "receipt_long", "billing.invoice"),
        ],
    },
    {
        "title": "Settings",
        "items": [
            item("API keys", "key", "billing.apikey"),
            {"title": "GraphQL client", "icon": "terminal", "link": reverse_lazy("graphql_client")},
            {"title": "API pages", "icon": "menu_book", "link": reverse_lazy("api_pages:index")},
            item("Workspaces", "domain", "billing.workspace"),
            item("Users", "person", "auth.user"),
            item("Groups", "shield_person", "auth.group"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Arrears",
    "SITE_HEADER": "Arrears",
    "SITE_SUBHEADER": "Usage, billed in arrears",
    "SITE_SYMBOL": "receipt_long",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("billing/favicon.svg")},
    ],
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "usage.admin.home.dashboard",
    "STYLES": [lambda request: static("billing/panel.css")],
    "SCRIPTS": [lambda request: static("billing/panel.js")],
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#2563eb",
            "700": "#1d4ed8",
            "800": "#1e40af",
            "900": "#1e3a8a",
            "950": "#172554",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}
