from django.urls import re_path

from usage.dialects.salesbricks_v1 import views

urlpatterns = [
    # With and without the slash, as the vendor's other version has it; a redirect would lose the body.
    re_path(r"^usage/?$", views.UsageView.as_view(), name="salesbricks_v1_usage"),
    re_path("", views.SalesbricksView.as_view()),
]
