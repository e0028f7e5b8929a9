from django.contrib import admin
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from billing.admin.login import change_own_password, login
from usage.admin.graphql_client import graphql_client


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "database unavailable"}, status=503, headers={"Retry-After": "5"})
    return JsonResponse({"status": "ok"})


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("admin/graphql/", admin.site.admin_view(graphql_client), name="graphql_client"),
    path("admin/login/", login),
    path("admin/password_change/", admin.site.admin_view(change_own_password)),
    path("admin/", admin.site.urls),
    path("docs/", include("usage.documents")),
    path("", include("usage.urls")),
]
