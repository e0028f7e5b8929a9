"""``config.front`` on an ordinary event loop, in front of an application that echoes the request."""

import json
import time

from django.http import HttpResponse, StreamingHttpResponse

from config import front

# One entry per closed response: closing is where Django ends a request and drops its old connections.
closed: list[bool] = []


def echo(environ, start_response):
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    body = environ["wsgi.input"].read()
    told["body"] = body.decode("latin-1")
    told["closed"] = len(closed)
    if "arrears.unread" in environ:
        told["arrears.unread"] = str(int(environ["arrears.unread"]))
    if "HTTP_X_LET_IN" in environ:
        environ["arrears.client"] = environ["HTTP_X_LET_IN"]
    if environ["PATH_INFO"] == "/slow" and "arrears.unread" not in environ:
        time.sleep(1)
    if environ["PATH_INFO"] == "/stream":
        response = StreamingHttpResponse(iter([b"one,", b"two,", b"three"]))
    else:
        response = HttpResponse(json.dumps(told))
        response["X-Twice"] = "ä"
    response._resource_closers.append(lambda: closed.append(True))
    start_response("200 OK", list(response.items()))
    return response


front.wsgi = echo  # type: ignore[attr-defined]
application = front.application
