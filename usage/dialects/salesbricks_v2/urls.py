from django.urls import re_path

from usage.dialects.salesbricks_v2 import views

urlpatterns = [
    # With and without the slash: both stand in the vendor's documents, and a redirect would lose the body.
    re_path(r"^usage/?$", views.UsageView.as_view()),
    re_path("", views.SalesbricksView.as_view()),
]
