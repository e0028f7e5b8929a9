"""Names are one line of text, and identifiers have no control characters, wherever they are given."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, contracts, parties
from billing.contracts import Limits
from billing.keys import UnableToCreateKey, create_key
from billing.models import Brick, Customer, CustomerAlias, Line
from tests import factories as make

pytestmark = pytest.mark.django_db

AS_OF = make.moment("2026-01-01")
FORGED = "Globex\n  INV-000001: identical"
TURNED = "Globex \u202e00.5"


@pytest.mark.parametrize("forged", [FORGED, TURNED], ids=["a further line", "turned round"])
def test_name_with_signs_that_forge_is_refused_of_whatever_it_is(forged):
    workspace = make.workspace()
    brick, customer = make.brick(workspace), make.customer(workspace)

    def fields(call):
        with pytest.raises(ValidationError) as refusal:
            call()
        return list(refusal.value.message_dict)

    terms = {"brick": brick, "model": "flat", "currency": "USD"}
    place = {"time_zone": "UTC", "currency": "USD"}
    assert fields(lambda: parties.create_workspace(code="x", name=forged, **place, actor=make.ACTOR)) == ["name"]
    assert fields(lambda: make.customer(workspace, forged)) == ["name"]
    assert fields(lambda: parties.update_customer(customer=customer, name=forged, actor=make.ACTOR)) == ["name"]
    assert fields(lambda: make.brick(workspace, forged)) == ["name"]
    assert fields(lambda: make.brick(workspace, unit_label=forged[:20])) == ["unit_label"]
    assert fields(lambda: catalog.update_brick(brick=brick, name=forged, as_of=AS_OF, actor=make.ACTOR)) == ["name"]
    assert fields(lambda: catalog.create_price(name=forged, **terms, actor=make.ACTOR)) == ["name"]
    with pytest.raises(UnableToCreateKey) as refusal:
        create_key(workspace=workspace, name=forged, actor=make.actor("tests"))
    assert list(refusal.value.message_dict) == ["name"]


def test_what_had_such_a_name_before_is_changed_otherwise():
    workspace = make.workspace()
    brick, customer = make.brick(workspace), make.customer(workspace)
    Customer.objects.update(name=FORGED)
    Brick.objects.update(name=FORGED)

    parties.update_customer(customer=customer, name=FORGED, email="ap@globex.example", actor=make.ACTOR)
    catalog.update_brick(brick=brick, description="calls", as_of=AS_OF, actor=make.ACTOR)

    assert Customer.objects.get().email == "ap@globex.example"
    assert Brick.objects.get().description == "calls"


def test_letters_of_all_languages_are_taken():
    for name in ("Ødegård & Söhne", "日本", "Zoë\u200d", "a\u00a0b"):
        assert make.customer(make.workspace(f"w{ord(name[0])}"), name).name == name


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\ta", "a\x1b", "a\x7f", "a\x85", "a\u2028", "a\u2029b"])
def test_identifier_with_control_characters_is_refused_of_whatever_it_is(text):
    line = make.line()
    workspace, customer, brick = line.workspace, line.subscription.customer, line.brick
    alias = parties.add_alias(customer=customer, value="globex", actor=make.ACTOR)
    start = {"customer": customer, "starts_at": make.moment("2026-01-01"), "anchor_on": date(2026, 1, 1)}

    def fields(call, *args, **options):
        with pytest.raises(ValidationError) as refusal:
            call(*args, **options)
        (told,) = {message for messages in refusal.value.message_dict.values() for message in messages}
        assert told.startswith("An identifier can't contain control characters; this one has U+")
        return list(refusal.value.message_dict)

    def rule(**terms):
        given = {"event_type": "sent", "aggregation": "count", **terms}
        return fields(make.event_brick, workspace, "Other", **given)

    assert fields(make.customer, workspace, reference=text) == ["reference"]
    assert fields(make.customer, workspace, aliases=[text]) == ["aliases"]
    assert fields(parties.update_customer, customer=customer, reference=text, actor=make.ACTOR) == ["reference"]
    assert fields(parties.add_alias, customer=customer, value=text, actor=make.ACTOR) == ["value"]
    assert fields(parties.update_alias, alias=alias, value=text, actor=make.ACTOR) == ["value"]
    assert fields(make.brick, workspace, "Other", reference=text) == ["reference"]
    assert fields(catalog.update_brick, brick=brick, reference=text, as_of=AS_OF, actor=make.ACTOR) == ["reference"]
    assert fields(contracts.create_subscription, **start, reference=text, actor=make.ACTOR) == ["reference"]
    other = make.brick(workspace, "Other")
    added = {"subscription": line.subscription, "brick": other, "price": make.price(other)}
    assert fields(contracts.add_line, **added, reference=text, actor=make.ACTOR) == ["reference"]
    assert rule(event_type=text) == ["event_type"]
    assert rule(aggregation="sum", property=text) == ["property"]
    assert rule(filters={text: ["a"]}) == ["filters"]
    assert rule(filters={"a": [text]}) == ["filters"]


def test_what_had_such_an_identifier_before_is_changed_otherwise():
    line = make.line()
    customer, brick = line.subscription.customer, line.brick
    alias = parties.add_alias(customer=customer, value="globex", actor=make.ACTOR)
    for rows in (Customer, Brick, Line):
        rows.objects.update(reference="a\nb")
    CustomerAlias.objects.update(value="x\ny")

    parties.update_customer(customer=customer, email="ap@globex.example", actor=make.ACTOR)
    parties.update_alias(alias=alias, label="CRM", actor=make.ACTOR)
    catalog.update_brick(brick=brick, description="calls", as_of=AS_OF, actor=make.ACTOR)
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)), actor=make.ACTOR)

    assert Customer.objects.get().email == "ap@globex.example"
    assert CustomerAlias.objects.get().label == "CRM"
    assert Brick.objects.get().description == "calls"
    assert Line.objects.get().hard_limit_quantity == 10


def test_usage_that_names_what_had_such_an_alias_before_is_taken():
    customer = make.customer(make.workspace(), aliases=["x"])
    CustomerAlias.objects.update(value="x\ny")

    assert make.event(customer.workspace, "x\ny", "2026-01-05").customer_id == customer.pk
