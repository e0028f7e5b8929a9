import pytest

from tests import factories as make


@pytest.fixture
def subscription():
    return make.subscription(make.customer(make.workspace()))
