from django.urls import re_path

from usage.dialects.salesbricks_v2 import brick_usage, entries
from usage.dialects.salesbricks_v2.base import SalesbricksView
from usage.dialects.shared.paths import served

_BRICK = "subscriptions/<str:subscription_id>/bricks/<str:brick_id>"

urlpatterns = [
    served("usage", entries.UsageView.as_view()),
    served("usage/transactions/<path:transaction_id>", entries.TransactionView.as_view()),
    served(f"{_BRICK}/usage", brick_usage.PeriodsView.as_view()),
    served(f"{_BRICK}/usage/series", brick_usage.SeriesView.as_view()),
    served(f"{_BRICK}/usage/entries", entries.EntriesView.as_view()),
    re_path("", SalesbricksView.as_view()),
]
