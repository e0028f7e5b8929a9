"""Settings of the intake limit: the same database and server, and only a view of Django."""

from config.settings import *  # noqa: F403

MIDDLEWARE = []
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False  # noqa: F405
ROOT_URLCONF = "tests.bench.bare"
