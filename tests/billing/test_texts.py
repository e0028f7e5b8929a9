"""Names are one line of text, wherever they are given."""

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, parties
from billing.keys import UnableToCreateKey, create_key
from billing.models import Brick, Customer
from tests import factories as make

pytestmark = pytest.mark.django_db

AS_OF = make.moment("2026-01-01")
FORGED = "Globex\n  INV-000001: identical"


def test_name_with_control_characters_is_refused_of_whatever_it_is():
    workspace = make.workspace()
    brick, customer = make.brick(workspace), make.customer(workspace)

    def fields(call):
        with pytest.raises(ValidationError) as refusal:
            call()
        return list(refusal.value.message_dict)

    terms = {"brick": brick, "model": "flat", "currency": "USD"}
    place = {"time_zone": "UTC", "currency": "USD"}
    assert fields(lambda: parties.create_workspace(code="x", name=FORGED, **place)) == ["name"]
    assert fields(lambda: make.customer(workspace, FORGED)) == ["name"]
    assert fields(lambda: parties.update_customer(customer=customer, name=FORGED)) == ["name"]
    assert fields(lambda: make.brick(workspace, FORGED)) == ["name"]
    assert fields(lambda: make.brick(workspace, unit_label=FORGED[:20])) == ["unit_label"]
    assert fields(lambda: catalog.update_brick(brick=brick, name=FORGED, as_of=AS_OF)) == ["name"]
    assert fields(lambda: catalog.create_price(name=FORGED, **terms)) == ["name"]
    with pytest.raises(UnableToCreateKey) as refusal:
        create_key(workspace=workspace, name=FORGED, created_by="tests")
    assert list(refusal.value.message_dict) == ["name"]


def test_what_had_such_a_name_before_is_changed_otherwise():
    workspace = make.workspace()
    brick, customer = make.brick(workspace), make.customer(workspace)
    Customer.objects.update(name=FORGED)
    Brick.objects.update(name=FORGED)

    parties.update_customer(customer=customer, name=FORGED, email="ap@globex.example")
    catalog.update_brick(brick=brick, description="calls", as_of=AS_OF)

    assert Customer.objects.get().email == "ap@globex.example"
    assert Brick.objects.get().description == "calls"


def test_letters_of_all_languages_are_taken():
    for name in ("Ødegård & Söhne", "日本", "Zoë\u200d", "a\u00a0b"):
        assert make.customer(make.workspace(f"w{ord(name[0])}"), name).name == name
