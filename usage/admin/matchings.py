"""A fragment of a customer's page: the jobs that match earlier events under the customer's new names."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from billing.admin import shown
from billing.models import Customer
from usage.models import Matching

MOST = 20


def matchings(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    if not request.user.has_perms(["billing.view_customer", "usage.view_usagerecord"]):
        raise PermissionDenied
    customer = get_object_or_404(shown.narrowed(Customer.objects.select_related("workspace"), request), pk=customer_id)
    jobs = list(customer.matchings.order_by("-pk")[:MOST])
    context = {
        "customer": customer,
        "matchings": jobs,
        "is_active": any(job.state == Matching.State.MATCHING for job in jobs),
    }
    return render(request, "panel/fragments/matchings.html", context)
