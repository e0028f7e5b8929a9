from django.urls import re_path

from usage.dialects.salesbricks_v2 import views

_BRICK = "^subscriptions/(?P<subscription_id>[0-9A-Fa-f-]{36})/bricks/(?P<brick_id>[0-9A-Fa-f-]{36})"

# With and without the slash: both stand in the vendor's documents, and a redirect would lose the body.
urlpatterns = [
    re_path(r"^usage/?$", views.UsageView.as_view()),
    re_path(r"^usage/transactions/(?P<transaction_id>.+?)/?$", views.TransactionView.as_view()),
    re_path(rf"{_BRICK}/usage/?$", views.PeriodsView.as_view()),
    re_path(rf"{_BRICK}/usage/series/?$", views.SeriesView.as_view()),
    re_path(rf"{_BRICK}/usage/entries/?$", views.EntriesView.as_view()),
    re_path("", views.SalesbricksView.as_view()),
]
