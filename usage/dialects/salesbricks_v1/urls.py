from django.urls import re_path

from usage.dialects.paths import served
from usage.dialects.salesbricks_v1 import views

urlpatterns = [
    served("usage", views.UsageView.as_view(), name="salesbricks_v1_usage"),
    re_path("", views.SalesbricksView.as_view()),
]
