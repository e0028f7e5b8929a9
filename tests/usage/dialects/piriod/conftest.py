import pytest

from tests import factories as make
from tests.usage.dialects.piriod.client import WORKSPACE, Piriod


@pytest.fixture
def line():
    return make.line(make.workspace(WORKSPACE, time_zone="America/Santiago"))


@pytest.fixture
def piriod(line):
    return Piriod(make.api_key(line.workspace))
