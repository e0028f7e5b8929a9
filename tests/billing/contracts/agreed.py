"""Lines of subscriptions, agreed in one call."""

from billing import contracts
from tests import factories as make


def fields_of(refusal):
    return list(refusal.value.message_dict)


def line_of(subscription, *, brick=None, **fields):
    brick = brick or make.brick(subscription.workspace)
    return contracts.add_line(
        subscription=subscription, brick=brick, price=make.price(brick), **fields, actor=make.ACTOR
    )


def next_line_of(line, **fields):
    return contracts.add_line(
        subscription=line.subscription, brick=line.brick, price=line.price, **fields, actor=make.ACTOR
    )
