"""View that parses JSON and makes one durable INSERT into the ledger's table, without any validation."""

import json
import os
from decimal import Decimal

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from config.celery import freeze_what_was_loaded

_INSERT = """
INSERT INTO usage_usagerecord
    (workspace_id, line_id, quantity, occurred_at, recorded_at, is_late, kind, source, dialect, recorded_by, note)
VALUES (%s, %s, %s, %s, now(), false, 'entry', 'api', 'bare', 'bench', '') RETURNING id
"""


def insert(request: HttpRequest) -> JsonResponse:
    sent = json.loads(request.body, parse_float=Decimal)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [sent["workspace"], sent["line"], sent["quantity"], sent["date_time"]])
        (record_id,) = cursor.fetchone()
    response = JsonResponse({"id": record_id}, status=201)
    response["Content-Length"] = len(response.content)
    return response


urlpatterns = [path("bare/", insert)]

if os.environ.get("DJANGO_SETTINGS_MODULE") == "tests.bench.bare_settings":
    application = get_wsgi_application()
    freeze_what_was_loaded()
