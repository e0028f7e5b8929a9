from django.urls import re_path

from usage.dialects.sequence import customers, events, metrics
from usage.dialects.sequence.base import SequenceView
from usage.dialects.shared.paths import served

urlpatterns = [
    served("usage-events", events.EventsView.as_view()),
    served("usage-metrics", metrics.MetricsView.as_view()),
    served("usage-metrics/<str:metric_id>", metrics.MetricView.as_view()),
    served("usage-metrics/<str:metric_id>/calculate", metrics.CalculationView.as_view()),
    served("customer-aliases", customers.AliasesView.as_view()),
    served("customer-aliases/<str:alias_id>", customers.AliasView.as_view()),
    served("customers/by-alias/<path:alias>", customers.CustomerByAliasView.as_view()),
    served("customers/<path:customer_id>/aliases", customers.CustomerAliasesView.as_view()),
    re_path("", SequenceView.as_view()),
]
