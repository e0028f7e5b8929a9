from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from billing.admin.login import change_own_password, login
from billing.admin.palette import palette
from billing.admin.shown import switch
from usage.admin.graphql_client import graphql_client

handler400 = "config.failures.bad_request"
handler500 = "config.failures.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/graphql/", admin.site.admin_view(graphql_client), name="graphql_client"),
    path("admin/workspace/", admin.site.admin_view(switch), name="panel_workspace"),
    path("admin/login/", login),
    path("admin/password_change/", admin.site.admin_view(change_own_password)),
    # Replaces unfold's own, which caches the results of one request for later ones.
    path("admin/search/", admin.site.admin_view(palette)),
    path("admin/", admin.site.urls),
    path("docs/", include("usage.dialects.pages")),
    path("", include("usage.dialects.urls")),
]
