"""Whatever a GraphQL schema allows is answered as GraphQL specifies and without a fault of ours."""

from collections.abc import Mapping

import pytest
import schemathesis
from django.db import transaction
from graphql import ArgumentNode, StringValueNode, Visitor, parse, print_ast, visit
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case

from billing.storage.jsontext import encode
from tests.schemas.examples import EXAMPLES
from tests.usage.dialects.vendors import vendors_with
from usage.dialects import BY_NAME

pytestmark = [pytest.mark.django_db, pytest.mark.once]


class _Known(Visitor):
    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__()
        self.known = known

    def enter_argument(self, node: ArgumentNode, *_: object) -> ArgumentNode | None:
        if node.name.value not in self.known:
            return None
        return ArgumentNode(name=node.name, value=StringValueNode(value=self.known[node.name.value]))


@pytest.mark.parametrize("kind", ["Query", "Mutation"])
@vendors_with(lambda vendor: BY_NAME[vendor.name].speaks_graphql)
def test_every_answer_is_valid_graphql(vendor, kind):
    world = vendor.world()
    line = world.things["line"]
    known = {"subscriptionId": str(line.subscription_id), "brickId": str(line.brick_id)}
    operations = schemathesis.graphql.from_file(BY_NAME[vendor.name].graphql.read_text())[kind]

    @EXAMPLES
    @given(st.one_of([operations[name].as_strategy() for name in operations]), st.booleans())
    def answers(case: Case, is_about_known: bool) -> None:
        query = str(case.body)
        if is_about_known:
            query = print_ast(visit(parse(query), _Known(known)))
        with transaction.atomic():
            response = vendor.send(world.key, encode({"query": query}))
            transaction.set_rollback(True)
        answer = response.json()
        assert response.status_code in (200, 400)
        assert answer.keys() <= {"data", "errors"}
        assert all(error["message"] for error in answer.get("errors", ()))
        assert ("errors" in answer) or answer["data"] is not None

    answers()
