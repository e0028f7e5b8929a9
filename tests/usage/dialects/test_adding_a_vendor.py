"""A vendor is added by one folder and one line: a copy of the program with one more dialect, under the shared suite."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_architecture import broken_contracts

pytestmark = [pytest.mark.once, pytest.mark.together]

ROOT = Path(__file__).parents[3]
COPIED = ("config", "billing", "usage", "templates", "tests")
TABLE = Path("usage/dialects/__init__.py")
LINE = '    Dialect("meterly", "Meterly", vendor="meterly", below="v3/"),\n'


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a copy of the program, with Piriod's dialect once more as Meterly's."""
    folder = tmp_path_factory.mktemp("program")
    ignored = shutil.ignore_patterns("__pycache__", "static", "node_modules")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "manage.py"):
        shutil.copy(ROOT / name, folder)
    for dialects, files in (("usage/dialects", "*.py"), ("tests/usage/dialects", "[_v]*.py")):
        (folder / dialects / "meterly").mkdir()
        for file in (ROOT / dialects / "piriod").glob(files):
            text = file.read_text().replace("/piriod/", "/meterly/v3/").replace('"/piriod"', '"/meterly/v3"')
            text = re.sub(r"\bpiriod\b", "meterly", text).replace("Piriod", "Meterly")
            (folder / dialects / "meterly" / file.name).write_text(text)
    table = (folder / TABLE).read_text()
    (folder / TABLE).write_text(table.replace("DIALECTS = (\n", f"DIALECTS = (\n{LINE}"))
    return folder


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "SERVICES": "none", "PYTEST_ADDOPTS": ""}
    for name in ("DATABASE_URL", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_vendor_is_added_by_one_folder_and_one_line(program: Path):
    suite = ("shared/test_paths.py", "shared/test_errors.py", "test_conformance.py", "test_folders.py")
    told = run(program, "-m", "pytest", "-q", "-k", "meterly", *(f"tests/usage/dialects/{name}" for name in suite))

    (passed,) = re.findall(r"(\d+) passed", told)
    assert int(passed) > 10, told


def test_it_has_a_host_and_a_page_and_knows_no_other(program: Path):
    told = run(
        program,
        "-c",
        "import config.wsgi\n"
        "from usage.dialects import RECORDED_AS, VENDORS\n"
        "from usage.dialects.pages import openapi\n"
        "from usage.dialects.urls import MOUNTS, roots\n"
        "print(*(pattern.pattern for pattern in roots('meterly')), *openapi('meterly')['paths'])\n"
        "print('meterly' in RECORDED_AS, 'meterly' in VENDORS, '/meterly/' in MOUNTS)\n",
    )

    assert told.splitlines() == ["v3/ /usages/ /usages/{usage_id}/", "True True True"]
    assert broken_contracts(program) == []
    views = program / "usage/dialects/meterly/views.py"
    views.write_text(f"{views.read_text()}\nimport usage.dialects.rebilly.rows  # noqa\n")
    assert broken_contracts(program) == ["dialects do not know each other"]
