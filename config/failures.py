"""What a page says where something of ours failed. The APIs answer for themselves, in their vendors' shapes."""

import sys

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from billing.storage.outages import outage_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a page's request that can't be read: a form of too many fields by how many it may have."""
    if not isinstance(exception, TooManyFieldsSent):
        return defaults.bad_request(request, exception)
    most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    told = {"message": "The form is too large", "advice": f"It has more than {most} fields: send less at once."}
    return HttpResponse(render_to_string("errors/unread.html", told), status=400)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a request that ended in an exception: 503 with Retry-After where the database was out of reach."""
    outage = outage_of(sys.exc_info()[1])
    if outage is None:
        return defaults.server_error(request)
    # Without the request: what the panel's pages show around their content is in the database.
    page = render_to_string("errors/unavailable.html", {"message": outage.value, "seconds": outage.retry_after})
    return HttpResponse(page, status=503, headers={"Retry-After": str(outage.retry_after)})
