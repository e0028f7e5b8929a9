"""``make bench``: run the benchmarks on PostgreSQL, in a database of their own that is dropped afterwards."""

import argparse
import os
import secrets
import subprocess
import sys
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import services

NAME = "arrears_bench"
MEASURES = "ARREARS_BENCH"


def main() -> int:
    if MEASURES in os.environ:
        return _measure()
    name = f"{NAME}_{os.getpid()}"
    server = urlsplit(services.POSTGRES_URL)
    with psycopg.connect(services.POSTGRES_URL, autocommit=True) as server_connection:
        server_connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server_connection.execute(f"CREATE DATABASE {name}")
        try:
            environment = os.environ | {
                "DATABASE_URL": urlunsplit(server._replace(path=f"/{name}")),
                MEASURES: "1",
                "SECRET_KEY": secrets.token_urlsafe(50),
                "ALLOWED_HOSTS": "127.0.0.1,testserver",
                "CELERY_BROKER_URL": services.NO_BROKER,
                "HTTPS": "0",
                "STATIC_COLLECTED": "0",
            }
            return subprocess.run([sys.executable, "-m", "tests.bench", *sys.argv[1:]], env=environment).returncode
        finally:
            server_connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _measure() -> int:
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415
    from tests.bench import batch, close, intake, lists, matching, report  # noqa: PLC0415
    from tests.bench.size import FULL, QUICK  # noqa: PLC0415

    modules = (intake, batch, close, matching, lists)
    benches = {module.__name__.rpartition(".")[2]: module.run for module in modules}
    parser = argparse.ArgumentParser(prog="make bench ARGS=...")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(benches)}; all by default")
    parser.add_argument("--records", type=int, default=None, help="records of the ledger for the lists")
    parser.add_argument("--quick", action="store_true", help="only check that every part still runs")
    asked = parser.parse_args()
    if unknown := ", ".join(sorted(set(asked.parts) - set(benches))):
        parser.error(f"There is no part {unknown}: name some of {', '.join(benches)}.")
    services.queue_in_memory(app)
    call_command("migrate", verbosity=0)
    size = QUICK if asked.quick else FULL
    if asked.records is not None:
        size = replace(size, large_ledger=asked.records)
    for name in asked.parts or benches:
        # Print each part when it ends: a later one takes minutes, and may fail.
        report.print_table(benches[name](size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
