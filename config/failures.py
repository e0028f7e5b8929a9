"""Error pages of the panel. The APIs render errors themselves, in their vendors' formats."""

import sys

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from billing.storage.outages import outage_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a page's malformed request with 400. For a form with too many fields, say how many are allowed."""
    if not isinstance(exception, TooManyFieldsSent):
        return defaults.bad_request(request, exception)
    most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    told = {"message": "The form is too large", "advice": f"It has more than {most} fields: send less at once."}
    return HttpResponse(render_to_string("errors/unread.html", told), status=400)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a request that raised an exception: 503 with Retry-After in a database outage, otherwise 500."""
    outage = outage_of(sys.exc_info()[1])
    if outage is None:
        return defaults.server_error(request)
    # Rendered without the request: the context of the panel's pages is read from the database.
    page = render_to_string("errors/unavailable.html", {"message": outage.value, "seconds": outage.retry_after})
    return HttpResponse(page, status=503, headers={"Retry-After": str(outage.retry_after)})
