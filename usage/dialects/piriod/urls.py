from django.urls import path, re_path

from usage.dialects.piriod import views

urlpatterns = [
    path("usages/", views.UsageListView.as_view()),
    path("usages/<str:usage_id>/", views.UsageView.as_view()),
    re_path("", views.PiriodView.as_view()),
]
