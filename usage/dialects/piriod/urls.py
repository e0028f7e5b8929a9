from django.urls import re_path

from usage.dialects.piriod import views
from usage.dialects.piriod.base import PiriodView
from usage.dialects.shared.paths import served

urlpatterns = [
    served("usages/", views.UsageListView.as_view()),
    served("usages/<str:usage_id>/", views.UsageView.as_view()),
    re_path("", PiriodView.as_view()),
]
