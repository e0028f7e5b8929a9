import pytest

from tests import factories as make
from tests.usage.dialects.salesbricks_v2.client import Salesbricks


@pytest.fixture
def line():
    return make.line(make.workspace(time_zone="America/New_York"))


@pytest.fixture
def salesbricks(line):
    return Salesbricks(line)
