from django.urls import path, re_path

from usage.dialects.native import bricks, closes, customers, invoices, prices, subscriptions, upcoming, usage
from usage.dialects.native.base import NativeView

urlpatterns = [
    path("customers/", customers.CustomerListView.as_view()),
    path("customers/<str:customer_id>/", customers.CustomerView.as_view()),
    path("customers/<str:customer_id>/aliases/", customers.AliasListView.as_view()),
    path("customers/<str:customer_id>/aliases/<str:alias_id>/", customers.AliasView.as_view()),
    path("bricks/", bricks.BrickListView.as_view()),
    path("bricks/<str:brick_id>/", bricks.BrickView.as_view()),
    path("bricks/<str:brick_id>/archive/", bricks.BrickArchiveView.as_view()),
    path("prices/", prices.PriceListView.as_view()),
    path("prices/<str:price_id>/", prices.PriceView.as_view()),
    path("subscriptions/", subscriptions.SubscriptionListView.as_view()),
    path("subscriptions/<str:subscription_id>/", subscriptions.SubscriptionView.as_view()),
    path("subscriptions/<str:subscription_id>/end/", subscriptions.SubscriptionEndView.as_view()),
    path("subscriptions/<str:subscription_id>/lines/", subscriptions.LineListView.as_view()),
    path("subscriptions/<str:subscription_id>/lines/<str:line_id>/", subscriptions.LineView.as_view()),
    path("subscriptions/<str:subscription_id>/lines/<str:line_id>/end/", subscriptions.LineEndView.as_view()),
    path("subscriptions/<str:subscription_id>/usage/", upcoming.CurrentUsageView.as_view()),
    path("subscriptions/<str:subscription_id>/upcoming-invoice/", upcoming.UpcomingInvoiceView.as_view()),
    path("usage/", usage.RecordListView.as_view()),
    path("usage/batch/", usage.BatchView.as_view()),
    path("usage/<str:record_id>/", usage.RecordView.as_view()),
    path("close-runs/", closes.CloseRunListView.as_view()),
    path("close-runs/<str:run_id>/", closes.CloseRunView.as_view()),
    path("close-runs/<str:run_id>/issue/", closes.CloseRunIssueView.as_view()),
    path("close-runs/<str:run_id>/discard/", closes.CloseRunDiscardView.as_view()),
    path("invoices/", invoices.InvoiceListView.as_view()),
    path("invoices/<str:invoice_id>/", invoices.InvoiceView.as_view()),
    path("invoices/<str:invoice_id>/lines/<int:position>/records/", invoices.InvoiceRecordListView.as_view()),
    re_path("", NativeView.as_view()),
]
