from django.urls import re_path

from usage.dialects.rebilly import views

urlpatterns = [
    # With the organization, as the vendor's clients are set up, and without it: then it is the key's own.
    re_path(r"^usages/?$", views.UsageListView.as_view()),
    re_path(r"^usages/(?P<usage_id>[^/]+)/?$", views.UsageView.as_view()),
    re_path(r"^organizations/(?P<organization>[^/]+)/usages/?$", views.OrganizationUsageListView.as_view()),
    re_path(
        r"^organizations/(?P<organization>[^/]+)/usages/(?P<usage_id>[^/]+)/?$", views.OrganizationUsageView.as_view()
    ),
    re_path("", views.RebillyView.as_view()),
]
