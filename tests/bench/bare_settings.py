"""The limit of intake: the same database and server, and of Django nothing but a view."""

from config.settings import *  # noqa: F403

MIDDLEWARE = []
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False  # noqa: F405
ROOT_URLCONF = "tests.bench.bare"
