from django.urls import re_path

from usage.dialects.rebilly import views
from usage.dialects.rebilly.base import RebillyView
from usage.dialects.shared.paths import served

urlpatterns = [
    # With the organization, as configured in the vendor's clients, or without: then the key's workspace is used.
    served("usages", views.UsageListView.as_view()),
    served("usages/<str:usage_id>", views.UsageView.as_view()),
    served("organizations/<str:organization>/usages", views.OrganizationUsageListView.as_view()),
    served("organizations/<str:organization>/usages/<str:usage_id>", views.OrganizationUsageView.as_view()),
    re_path("", RebillyView.as_view()),
]
