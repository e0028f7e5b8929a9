PYTHON ?= python3
export PORT ?= 8000
PY := .venv/bin/python

.PHONY: help run test check bench faults mutants format lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.stamp ## start web, worker and schedule (PORT=8000)
	@exec $(PY) -m config.supervisor

test: .venv/dev.stamp ## run the tests (ARGS="-k name", SERVICES=none, REQUIRE_SERVICES=1)
	@exec $(PY) -m tests $(ARGS)

check: .venv/dev.stamp ## format, lint, types, import contracts, migrations, settings
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING

bench: .venv/dev.stamp ## benchmark against the limits of this machine (ARGS=...)
	@exec $(PY) -m tests.bench $(ARGS)

faults: .venv/dev.stamp ## kill running parts under load, and check the books (ARGS="--rounds 3 --seed 7")
	@exec $(PY) -m tests.faults $(ARGS)

mutants: .venv/dev.stamp ## run mutation tests of rating, money and calendar, and list the survivors
	@test -x .venv/bin/mutmut || { echo "make mutants needs mutmut in the environment: .venv/bin/pip install mutmut==3.8.1" >&2; exit 1; }
	@SERVICES=none .venv/bin/mutmut run --max-children 2 $(ARGS) | tr '\r' '\n' | tail -1
	@.venv/bin/mutmut results

format: .venv/dev.stamp ## format and sort imports in place
	$(PY) -m ruff check --select I --fix
	$(PY) -m ruff format

lock: ## resolve the dependencies again (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(COMPILE) --output-file config/locks/run.txt
	$(COMPILE) --extra dev --constraint config/locks/run.txt --output-file config/locks/dev.txt

# Keeps the ledger in var/: remove that folder by hand to start over.
clean: ## remove the environment and all caches, not the data in var/
	rm -rf .venv var/static mutants .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE = uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url

# A stamp is as old as the last install from its lock file: until the lock changes, nothing is installed or downloaded.
# The dev lock contains the run lock.
.venv/run.stamp: config/locks/run.txt
	$(INSTALL)
	@touch $@

.venv/dev.stamp: config/locks/dev.txt
	$(INSTALL)
	@touch .venv/run.stamp $@

define INSTALL
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv \
	|| { echo "No virtual environment: on Debian, apt install python3-venv" >&2; exit 1; }
@echo "Installing $< ..."
@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
endef
