"""A GraphQL client in the panel, to enter usage manually through the API. The pasted key is not stored."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from graphql import introspection_from_schema
from unfold.widgets import UnfoldAdminPasswordWidget

from billing.admin import shown
from billing.models import Line
from billing.names import parse_whole
from usage.dialects.salesbricks_v1.mutations import MUTATIONS, Mutation
from usage.dialects.salesbricks_v1.schema import SCHEMA


class KeyForm(forms.Form):
    key = forms.CharField(
        label="X-SALESBRICKS-KEY",
        required=False,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "off", "placeholder": "Paste the API token"}),
        help_text="The header to send. The token determines the workspace. It is not stored.",
    )


def graphql_client(request: HttpRequest) -> HttpResponse:
    """Show the client, prepared for a line's brick if the query string names a line that the user may see."""
    endpoint = reverse("salesbricks_v1_usage")
    line = _line(request)
    suited = [mutation for mutation in MUTATIONS if line is None or line.brick.aggregation == mutation.aggregation]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "GraphQL client",
        "form": KeyForm(),
        "endpoint": request.build_absolute_uri(endpoint),
        "line": line,
        "client": {
            "endpoint": endpoint,
            "operations": [_operation(mutation, line, timezone.now()) for mutation in suited or MUTATIONS],
            "schema": introspection_from_schema(SCHEMA),
        },
    }
    return render(request, "usage/graphql_client.html", context)


def _line(request: HttpRequest) -> Line | None:
    known = parse_whole(request.GET.get("line", ""))
    if known is None or not request.user.has_perm("billing.view_subscription"):
        return None
    lines = Line.objects.select_related("brick", "subscription__customer")
    return shown.narrowed(lines, request).filter(pk=known).first()


def _operation(mutation: Mutation, line: Line | None, now: datetime) -> str:
    """Return a mutation to be completed; without a quantity it is not valid, so it can't be run by mistake."""
    subscription_id, brick_id = ("", "") if line is None else (line.subscription_id, line.brick_id)
    return f"""mutation {mutation.name[0].upper()}{mutation.name[1:]} {{
  {mutation.name}(
    # When it was used, in UTC.
    timestamp: "{now:%Y-%m-%dT%H:%M:%SZ}"
    # From the subscription's page.
    subscriptionId: "{subscription_id}"
    # From the URL of the brick's page.
    brickId: "{brick_id}"
    # How many.
    {mutation.quantity}:{" "}
  ) {{
    success
  }}
}}
"""
