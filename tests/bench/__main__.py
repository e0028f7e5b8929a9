"""``make bench``: on PostgreSQL, in a database of its own that is dropped afterwards."""

import argparse
import os
import secrets
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import services

NAME = "arrears_bench"


def main() -> int:
    if (os.environ.get("DATABASE_URL") or "").endswith(NAME):
        return _measure()
    server = urlsplit(services.POSTGRES_URL)
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server_connection:
        server_connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        server_connection.execute(f"CREATE DATABASE {NAME}")
        try:
            environment = os.environ | {
                "DATABASE_URL": urlunsplit(server._replace(path=f"/{NAME}")),
                "SECRET_KEY": secrets.token_urlsafe(50),
                "ALLOWED_HOSTS": "127.0.0.1,testserver",
                "CELERY_BROKER_URL": services.NO_BROKER,
                "HTTPS": "0",
                "STATIC_COLLECTED": "0",
            }
            return subprocess.run([sys.executable, "-m", "tests.bench", *sys.argv[1:]], env=environment).returncode
        finally:
            server_connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def _measure() -> int:
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415
    from tests.bench import batch, close, intake, lists, matching, report  # noqa: PLC0415

    benches = {"intake": intake.run, "batch": batch.run, "close": close.run, "matching": matching.run}
    parser = argparse.ArgumentParser(prog="make bench ARGS=...")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(benches)} and lists; all unless named")
    parser.add_argument("--records", type=int, default=lists.LARGE, help="of the ledger whose lists are measured")
    asked = parser.parse_args()
    services.queue_in_memory(app)
    call_command("migrate", verbosity=0)
    benches["lists"] = lambda: lists.run(records=asked.records)
    report.print_table([row for name in asked.parts or benches for row in benches[name]()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
