from django.urls import re_path

from usage.dialects.salesbricks_v1 import views
from usage.dialects.salesbricks_v1.base import SalesbricksView
from usage.dialects.shared.paths import served

urlpatterns = [
    served("usage", views.UsageView.as_view(), name="salesbricks_v1_usage"),
    re_path("", SalesbricksView.as_view()),
]
