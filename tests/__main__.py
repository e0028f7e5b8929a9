"""Run the whole suite on each database: `python -m tests [pytest arguments]`, which `make test` calls.

SQLite, the default, comes first, then PostgreSQL. Tests of a missing service are left out and reported at the end. With
REQUIRE_SERVICES=1 a missing service is an error; with SERVICES=none no service is used.

The whole suite measures coverage and lists its ten slowest tests. Coverage is complete only with all services, so the
floors apply only then.
"""

import os
import subprocess
import sys

import pytest

from tests import coverage_floors, services


def run_pytest(database: str, database_url: str, arguments: list[str]) -> int:
    environment = {**os.environ, "DATABASE_URL": database_url}
    environment.pop("ARREARS_TEST_VAR", None)
    # Starting processes costs more than a few chosen tests take. Three keep two cores busy, since many tests wait.
    whole = [*coverage_floors.measuring(database), "pytest", "-n", "3", "--dist", "loadgroup", "--durations=10"]
    chosen = ["-m", "pytest", *arguments]
    return subprocess.run([sys.executable, *(chosen if arguments else whole)], env=environment).returncode


def main(arguments: list[str]) -> int:
    found = services.look()
    missing = [service for service in found if service.missing]
    required = os.environ.get("REQUIRE_SERVICES") == "1"
    codes: dict[str, int] = {}
    if not arguments:
        coverage_floors.begin()
    if not (missing and required):
        for name, url in (("SQLite", ""), ("PostgreSQL", services.POSTGRES_URL)):
            if all(service.name != name for service in missing):
                print(f"\n=== The suite on {name} ===", flush=True)
                codes[name] = run_pytest(name, url, arguments)
                if codes[name] == pytest.ExitCode.INTERRUPTED:
                    break
    print()
    for name, code in codes.items():
        print(f"{name}: {pytest.ExitCode(code).name.lower().replace('_', ' ')}")
    for service in missing:
        print(f"{'MISSING' if required else 'skipped'}: {service.name} ({service.missing}); {service.hint}")
    if missing and required:
        return 1
    if codes and not arguments and pytest.ExitCode.INTERRUPTED not in codes.values():
        print("\nCoverage, by lines and branches:")
        low = coverage_floors.below_floor()
        if low and not missing:
            print(f"Coverage is below its floor: {', '.join(low)}.")
            return 1
    # A selection of tests may exist for one database only: then the empty run of the other is fine.
    run = [code for code in codes.values() if code != pytest.ExitCode.NO_TESTS_COLLECTED]
    return max(run, default=int(pytest.ExitCode.NO_TESTS_COLLECTED))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
