import pytest

from billing import invoicing
from billing.models import Customer, Line
from tests import factories as make

pytestmark = pytest.mark.django_db

FEBRUARY, MARCH = make.moment("2026-02-01"), make.moment("2026-03-01")


def moved(line: Line, opens, closes, cutoff: int) -> None:
    invoicing.move_pointers(
        workspace_id=line.workspace_id, pointers=[(line.subscription_id, opens, closes)], cutoff=cutoff
    )
    line.refresh_from_db()
    line.subscription.refresh_from_db()


def test_a_subscription_and_its_lines_open_where_closing_stands():
    line = make.line()
    other = make.line(line.workspace)

    moved(line, FEBRUARY, MARCH, 7)

    assert (line.subscription.open_from_at, line.subscription.next_close_at) == (FEBRUARY, MARCH)
    assert (line.open_from_at, line.cutoff) == (FEBRUARY, 7)
    other.refresh_from_db()
    assert (other.open_from_at, other.cutoff) == (make.moment("2026-01-01"), 0)


def test_a_subscription_that_is_closed_to_its_end_is_due_no_more():
    line = make.line()

    moved(line, MARCH, None, 7)

    assert (line.subscription.open_from_at, line.subscription.next_close_at) == (MARCH, None)


def test_no_pointers_change_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        invoicing.move_pointers(workspace_id=1, pointers=[], cutoff=7)


def test_a_customers_events_open_where_the_last_of_its_lines_does_and_never_go_back():
    customer = make.customer(make.workspace(), reference="gx")
    brick = make.event_brick(customer.workspace)
    lines = [make.counting_line(customer, brick) for _ in range(2)]

    def opened():
        invoicing.move_event_pointers(workspace_id=customer.workspace_id, customer_ids=[customer.pk])
        return Customer.objects.get(pk=customer.pk, workspace=customer.workspace).events_open_from_at

    assert opened() is None
    moved(lines[0], FEBRUARY, MARCH, 7)
    assert opened() == FEBRUARY
    moved(lines[1], MARCH, None, 7)
    assert opened() == MARCH
    moved(lines[1], make.moment("2026-01-01"), FEBRUARY, 0)
    assert opened() == MARCH
