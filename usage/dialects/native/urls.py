from django.urls import re_path

from usage.dialects.native import bricks, closes, customers, invoices, prices, subscriptions, upcoming, usage
from usage.dialects.native.base import NativeView
from usage.dialects.shared.paths import served

urlpatterns = [
    served("customers/", customers.CustomerListView.as_view()),
    served("customers/<str:customer_id>/", customers.CustomerView.as_view()),
    served("customers/<str:customer_id>/aliases/", customers.AliasListView.as_view()),
    served("customers/<str:customer_id>/aliases/<str:alias_id>/", customers.AliasView.as_view()),
    served("customers/<str:customer_id>/matchings/", customers.MatchingListView.as_view()),
    served("bricks/", bricks.BrickListView.as_view()),
    served("bricks/<str:brick_id>/", bricks.BrickView.as_view()),
    served("bricks/<str:brick_id>/archive/", bricks.BrickArchiveView.as_view()),
    served("prices/", prices.PriceListView.as_view()),
    served("prices/<str:price_id>/", prices.PriceView.as_view()),
    served("subscriptions/", subscriptions.SubscriptionListView.as_view()),
    served("subscriptions/<str:subscription_id>/", subscriptions.SubscriptionView.as_view()),
    served("subscriptions/<str:subscription_id>/end/", subscriptions.SubscriptionEndView.as_view()),
    served("subscriptions/<str:subscription_id>/lines/", subscriptions.LineListView.as_view()),
    served("subscriptions/<str:subscription_id>/lines/<str:line_id>/", subscriptions.LineView.as_view()),
    served("subscriptions/<str:subscription_id>/lines/<str:line_id>/end/", subscriptions.LineEndView.as_view()),
    served("subscriptions/<str:subscription_id>/usage/", upcoming.CurrentUsageView.as_view()),
    served("subscriptions/<str:subscription_id>/upcoming-invoice/", upcoming.UpcomingInvoiceView.as_view()),
    served("usage/", usage.RecordListView.as_view()),
    served("usage/batch/", usage.BatchView.as_view()),
    served("usage/<str:record_id>/", usage.RecordView.as_view()),
    served("close-runs/", closes.CloseRunListView.as_view()),
    served("close-runs/<str:run_id>/", closes.CloseRunView.as_view()),
    served("close-runs/<str:run_id>/issue/", closes.CloseRunIssueView.as_view()),
    served("close-runs/<str:run_id>/discard/", closes.CloseRunDiscardView.as_view()),
    served("invoices/", invoices.InvoiceListView.as_view()),
    served("invoices/<str:invoice_id>/", invoices.InvoiceView.as_view()),
    served("invoices/<str:invoice_id>/lines/<int:position>/records/", invoices.InvoiceRecordListView.as_view()),
    re_path("", NativeView.as_view()),
]
