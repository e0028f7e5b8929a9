from django.urls import re_path

from usage.dialects.salesbricks_v2 import views
from usage.dialects.shared.paths import served

_BRICK = "subscriptions/<str:subscription_id>/bricks/<str:brick_id>"

urlpatterns = [
    served("usage", views.UsageView.as_view()),
    served("usage/transactions/<path:transaction_id>", views.TransactionView.as_view()),
    served(f"{_BRICK}/usage", views.PeriodsView.as_view()),
    served(f"{_BRICK}/usage/series", views.SeriesView.as_view()),
    served(f"{_BRICK}/usage/entries", views.EntriesView.as_view()),
    re_path("", views.SalesbricksView.as_view()),
]
