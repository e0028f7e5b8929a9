from django.urls import path, re_path

from usage.dialects.sequence import customers, events, metrics
from usage.dialects.sequence.base import SequenceView

urlpatterns = [
    path("usage-events", events.EventsView.as_view()),
    path("usage-metrics", metrics.MetricsView.as_view()),
    path("usage-metrics/<str:metric_id>", metrics.MetricView.as_view()),
    path("usage-metrics/<str:metric_id>/calculate", metrics.CalculationView.as_view()),
    path("customer-aliases", customers.AliasesView.as_view()),
    path("customer-aliases/<str:alias_id>", customers.AliasView.as_view()),
    path("customers/by-alias/<path:alias>", customers.CustomerByAliasView.as_view()),
    path("customers/<str:customer_id>/aliases", customers.CustomerAliasesView.as_view()),
    re_path("", SequenceView.as_view()),
]
