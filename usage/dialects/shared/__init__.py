"""The modules that dialects share, one subject each; a dialect imports them by name.

``view`` is the path of every request. It uses ``authentication``, ``exact_json``, ``request_body``, ``idempotency``,
``rates``, ``cors``, ``paths`` and ``errors``; views use ``fields``, ``query_parameters``, ``lists``,
``newest``, ``recording_order`` and ``unread_events``; ``openapi`` describes them.
"""
