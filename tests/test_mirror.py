"""Tests mirror the code: those of a module are found under its name, with a subject behind it if there are several."""

import pytest

from tests.sources import ROOT
from tests.test_architecture import DOMAIN

pytestmark = pytest.mark.once

TESTS = [
    str(path.relative_to(ROOT / "tests"))
    for package in ("billing", "config", "usage")
    for path in sorted((ROOT / "tests" / package).rglob("test_*.py"))
]

# Tests about a package as a whole, or about what several of its modules do together.
OF_SEVERAL = {
    "billing/admin/test_forged_forms.py": "every form of the panel",
    "billing/admin/test_hostile_queries.py": "every address of the panel",
    "billing/models/test_constraints.py": "the constraints of all tables",
    "usage/dialects/native/test_bounds.py": "every list whose rows may be large",
    "usage/dialects/native/test_migration.py": "all that coming from a vendor takes",
    "usage/dialects/shared/test_limits.py": "hard limits, through each dialect",
    "usage/dialects/shared/test_links.py": "links in the replies of each dialect",
    "usage/dialects/test_adding_a_vendor.py": "a dialect more",
    "usage/dialects/test_conformance.py": "the same facts through each dialect",
    "usage/dialects/test_folders.py": "the files of each dialect",
    "usage/dialects/test_table.py": "the table in the package itself",
}
# Modules of the domain without tests of their name, each with where it is tested or why there is nothing to test.
WITHOUT: dict[str, str] = {
    "billing.contracts.hooks": "declares two lists, which usage fills",
    "billing.contracts.terms": "declares a value",
    "usage.commands": "declares values",
    "usage.metering.aggregation": "declares the types of the table",
    "usage.metering.events.count": "an entry of the table, measured in test_measuring",
}


def named_after(test: str) -> str | None:
    """Return the dotted name of the module that a test file is named after, None where there is none."""
    folder, _, name = test.rpartition("/")
    subject = name.removeprefix("test_").removesuffix(".py")
    # The longest name, or tests of ``close_states`` would be those of ``close``.
    words = subject.split("_")
    for length in range(len(words), 0, -1):
        module = "_".join(words[:length])
        if (ROOT / folder / f"{module}.py").exists():
            return f"{folder}/{module}".replace("/", ".")
    return None


def test_each_file_of_tests_is_named_after_its_module():
    assert len(TESTS) > 150
    assert [test for test in TESTS if named_after(test) is None and test not in OF_SEVERAL] == []
    # An exception that nobody needs any more goes.
    assert [test for test in OF_SEVERAL if test not in TESTS or named_after(test) is not None] == []


def test_each_module_of_the_domain_has_tests_of_its_name():
    found = {named_after(test) for test in TESTS}
    modules = [name for name in DOMAIN if (ROOT / f"{name.replace('.', '/')}.py").exists()]

    assert len(modules) > 80
    assert [name for name in modules if name not in found and name not in WITHOUT] == []
    assert [name for name in WITHOUT if name not in modules or name in found] == []


@pytest.mark.parametrize(
    ("test", "module"),
    [
        ("billing/test_close_states.py", "billing.close_states"),
        ("usage/test_consumption_buckets.py", "usage.consumption"),
        ("usage/dialects/native/test_usage_batch.py", "usage.dialects.native.usage"),
        ("usage/test_consumptions.py", None),
        ("usage/metering/test_filters.py", None),
    ],
)
def test_a_file_is_named_after_a_module_and_a_subject(test, module):
    assert named_after(test) == module
