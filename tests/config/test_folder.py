"""The folder of this machine's data."""

from pathlib import Path

import pytest

from config.folder import BASE, var_folder

pytestmark = pytest.mark.once


@pytest.mark.parametrize("unset", [None, ""])
def test_data_lies_beside_the_program_unless_a_folder_is_named(monkeypatch, unset):
    if unset is None:
        monkeypatch.delenv("ARREARS_VAR", raising=False)
    else:
        monkeypatch.setenv("ARREARS_VAR", unset)

    assert var_folder() == BASE / "var"
    assert (BASE / "manage.py").exists()


def test_a_folder_is_named_from_where_the_program_was_started(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARREARS_VAR", "data/../here")

    assert var_folder() == Path(tmp_path).resolve() / "here"
