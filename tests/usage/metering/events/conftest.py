import pytest

from tests import factories as make


@pytest.fixture
def globex():
    return make.customer(make.workspace(), aliases=["gx"])
