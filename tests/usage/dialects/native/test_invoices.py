import pytest

from billing import contracts
from billing.models import Brick, Customer, PriceTier
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue, issue
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def line(workspace):
    """A counter, 10 units at $2 up to the 10th and at $1.50 beyond it."""
    return make.line(workspace, model="graduated", tiers=[("10", "2", "0"), (None, "1.5", "0")])


@pytest.fixture
def api(workspace):
    return Native(workspace)


def test_an_issued_invoice_shows_its_arithmetic_and_the_names_of_its_day(api, line):
    make.use(line, "8", "2026-01-05")
    make.use(line, "4", "2026-01-20")
    run = close_and_issue(line.workspace, "2026-02-01")
    invoice = run.invoices.get()
    Customer.objects.update(name="Globex Two")
    Brick.objects.update(name="Calls")

    told = api.get(f"invoices/{invoice.pk}/").json()

    assert {name: told[name] for name in told if name not in ("lines", "billed_to", "created_at")} == {
        "id": invoice.pk,
        "number": "INV-000001",
        "state": "issued",
        "kind": "invoice",
        "customer": str(invoice.customer_id),
        "subscription": str(invoice.subscription_id),
        "close_run": run.pk,
        "period": {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z"},
        "currency": "USD",
        "total": "23.00",
        "issued_at": "2026-02-01T00:00:00Z",
    }
    assert told["billed_to"] == {"name": "Globex", "reference": None, "email": "", "address": ""}
    [shown] = told["lines"]
    assert {name: shown[name] for name in shown if name not in ("price", "steps")} == {
        "position": 1,
        "kind": "usage",
        "line": line.number,
        "brick": str(line.brick_id),
        "description": "API calls",
        "aggregation": "sum",
        "unit_label": "units",
        "period": told["period"],
        "days": 31,
        "of_days": 31,
        "quantity": "12",
        "record_count": 2,
        "unread_count": 0,
        "unread_sample": [],
        "surprise": "",
        "surprises": [],
        "rated": "23.00",
        "billed_before": "0.00",
        "amount": "23.00",
    }
    assert [(step["quantity"], step["unit_price"], step["amount"]) for step in shown["steps"]] == [
        ("10", "2", "20"),
        ("2", "1.5", "3"),
    ]
    assert shown["price"]["terms"]["tiers"][0] == {"up_to": "10", "unit_price": "2", "fee": "0"}


def test_a_draft_is_shown_as_it_stands(api, line):
    make.use(line, "8", "2026-01-05")
    invoice = close(line.workspace, "2026-02-01").invoices.get()

    told = api.get(f"invoices/{invoice.pk}/").json()

    assert (told["state"], told["number"], told["issued_at"], told["total"]) == ("draft", None, None, "16.00")
    assert told["billed_to"]["name"] == "Globex"
    assert [shown["amount"] for shown in told["lines"]] == ["16.00"]


def test_a_credit_note_shows_the_difference(api, line):
    record = make.use(line, "8", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(record, "5")
    credit = close_and_issue(line.workspace, "2026-03-01").invoices.get()

    told = api.get(f"invoices/{credit.pk}/").json()

    assert (told["kind"], told["number"], told["total"]) == ("credit_note", "CN-000001", "-6.00")
    [february, january] = told["lines"]
    assert (february["kind"], february["amount"]) == ("usage", "0.00")
    assert (january["kind"], january["rated"], january["billed_before"]) == ("true_up", "10.00", "16.00")


def test_the_records_behind_a_line_are_those_that_were_counted(api, line):
    counted = [make.use(line, quantity, at) for quantity, at in (("8", "2026-01-05"), ("4", "2026-01-20"))]
    run = close(line.workspace, "2026-02-01")
    invoice = run.invoices.get()
    make.use(line, "1", "2026-01-25")
    make.use(line, "1", "2026-02-05")
    corrected = make.fix(counted[0], "9")
    issue(run, "2026-02-10")
    path = f"invoices/{invoice.pk}/lines/1/records/"

    first = api.get(f"{path}?page_size=1").json()
    second = api.get(first["next"].partition("/api/")[2]).json()

    assert [row["revision"] for row in first["results"] + second["results"]] == [counted[1].id, counted[0].id]
    assert (second["results"][0]["quantity"], second["results"][0]["is_live"]) == ("8", False)
    assert second["next"] is None
    assert api.get(f"usage/{corrected.handle}/").json()["quantity"] == "9"


def test_the_events_behind_a_line_are_those_that_its_rule_counts(api, workspace):
    brick = make.event_brick(workspace, event_type="sent", filters={"region": ["eu"]})
    customer = make.customer(workspace, aliases=["gx"])
    contracts.add_line(subscription=make.subscription(customer), brick=brick, price=make.price(brick), actor=make.ACTOR)
    counted = make.event(workspace, "gx", "2026-01-05", event_type="sent", region="eu")
    make.event(workspace, "gx", "2026-01-06", event_type="sent", region="us")
    invoice = close_and_issue(workspace, "2026-02-01").invoices.get()

    found = api.get(f"invoices/{invoice.pk}/lines/1/records/").json()["results"]

    assert [row["id"] for row in found] == [counted.id]


def test_invoices_are_listed_newest_first_and_filtered(api, workspace, line):
    other = make.subscription(make.customer(workspace, "Initech", reference="cus_2"), reference="sub_2")
    contracts.add_line(subscription=other, brick=line.brick, price=line.price, actor=make.ACTOR)
    first = close_and_issue(workspace, "2026-02-01")
    second = close(workspace, "2026-03-01")
    theirs = make.line(make.workspace("other"))
    foreign = close(theirs.workspace, "2026-02-01").invoices.get()

    def found(query: str) -> list[tuple[int, str]]:
        rows = api.get(f"invoices/?{query}").json()["results"]
        return sorted((row["close_run"], row["subscription"]) for row in rows)

    one, two = str(line.subscription_id), str(other.pk)
    everything = sorted((run.pk, subscription) for run in (first, second) for subscription in (one, two))
    newest = [row["id"] for row in api.get("invoices/").json()["results"]]
    assert newest == sorted(newest, reverse=True)
    assert found("") == everything
    assert found("state=draft") == [row for row in everything if row[0] == second.pk]
    assert found(f"close_run={first.pk}") == [row for row in everything if row[0] == first.pk]
    assert found("customer=cus_2") == found("subscription=sub_2") == [(first.pk, two), (second.pk, two)]
    assert found(f"subscription={one}") == [(first.pk, one), (second.pk, one)]
    assert len(found("number=INV-000001")) == 1
    assert found("kind=credit_note") == []
    assert (
        found("issued_from=2026-02-01T00:00:00Z")
        == found("issued_before=2026-02-02T00:00:00Z")
        == found(f"close_run={first.pk}")
    )
    assert found("starts_from=2026-02-01T00:00:00Z") == found(f"close_run={second.pk}")
    assert found("ends_by=2026-02-01T00:00:00Z") == found(f"close_run={first.pk}")
    for path in (f"{foreign.pk}/", f"{foreign.pk}/lines/1/records/", "0/", "x/"):
        assert api.get(f"invoices/{path}").status_code == 404
    assert wrong(api.get("invoices/?state=paid"))[0] == 422


@pytest.mark.parametrize("position", ["0", "2", "9" * 30, "x", "-1"])
def test_a_line_that_is_not_on_the_invoice_is_not_found(api, line, position):
    invoice = close(line.workspace, "2026-02-01").invoices.get()

    assert api.get(f"invoices/{invoice.pk}/lines/{position}/records/").status_code == 404


@pytest.mark.parametrize("lines", [1, 8])
def test_an_invoice_is_shown_with_as_many_queries_for_many_lines(
    api, workspace, line, lines, django_assert_num_queries
):
    for number in range(lines):
        brick = make.brick(workspace, f"Brick {number}")
        contracts.add_line(subscription=line.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR)
    run = close(workspace, "2026-02-01")
    path = f"invoices/{run.invoices.get().pk}/"
    api.get(path)

    with django_assert_num_queries(3):
        api.get(path)
    issue(run)
    with django_assert_num_queries(2):
        api.get(path)


def test_current_usage_is_that_of_the_open_period_until_now(api, line):
    make.use(line, "8", "2026-07-05")
    make.use(line, "4", "2026-07-20 15:00")
    close_and_issue(line.workspace, "2026-07-01")
    flat = make.brick(line.workspace, "Platform", "none")
    contracts.add_line(
        subscription=line.subscription, brick=flat, price=make.price(flat, model="flat"), actor=make.ACTOR
    )
    used = {
        "line": line.number,
        "reference": None,
        "brick": str(line.brick_id),
        "description": "API calls",
        "aggregation": "sum",
        "unit_label": "units",
        "quantity": "8",
        "record_count": 1,
        "unread_count": 0,
        "unread_sample": [],
    }

    response = api.get(f"subscriptions/{line.subscription_id}/usage/")

    assert response.json() == {
        "period": {"starts_at": "2026-07-01T00:00:00Z", "ends_at": "2026-08-01T00:00:00Z"},
        "measured_until": "2026-07-20T14:00:00Z",
        "lines": [used],
    }


def test_the_upcoming_invoice_has_the_period_so_far_and_what_closed_ones_have_left(api, line):
    make.use(line, "12", "2026-06-05")
    close_and_issue(line.workspace, "2026-07-01")
    make.use(line, "2", "2026-06-30", recorded_at="2026-07-02")
    make.use(line, "8", "2026-07-05")

    told = api.get(f"subscriptions/{line.subscription_id}/upcoming-invoice/").json()

    assert (told["currency"], told["total"]) == ("USD", "19.00")
    assert told["period"] == {"starts_at": "2026-07-01T00:00:00Z", "ends_at": "2026-08-01T00:00:00Z"}
    usage, difference = told["lines"]
    assert (usage["position"], usage["kind"], usage["quantity"], usage["amount"]) == (1, "usage", "8", "16.00")
    assert [step["amount"] for step in usage["steps"]] == ["16"]
    assert (difference["position"], difference["kind"], difference["quantity"]) == (2, "true_up", "14")
    assert (difference["rated"], difference["billed_before"], difference["amount"]) == ("26.00", "23.00", "3.00")


@pytest.mark.parametrize("path", ["usage", "upcoming-invoice"])
def test_without_an_open_period_there_is_neither(api, line, path):
    close_and_issue(line.workspace, "2026-07-01")
    contracts.end_subscription(subscription=line.subscription, ends_at=make.moment("2026-07-10"), actor=make.ACTOR)
    close_and_issue(line.workspace, "2026-07-15")
    theirs = make.line(make.workspace("other"))

    response = api.get(f"subscriptions/{line.subscription_id}/{path}/")

    assert response.json()["detail"] == (
        "No period of this subscription is open: it has not started, or its last period is closed."
    )
    for absent in (line.subscription_id, theirs.subscription_id, "x"):
        assert wrong(api.get(f"subscriptions/{absent}/{path}/")) == (404, {})


@pytest.mark.parametrize("path", ["usage", "upcoming-invoice"])
def test_a_price_without_its_last_tier_is_told(api, line, path):
    PriceTier.objects.filter(up_to=None).delete()

    response = api.get(f"subscriptions/{line.subscription_id}/{path}/")

    assert wrong(response) == (409, {})
    assert "open" in response.json()["detail"]


@pytest.mark.parametrize("path", ["usage", "upcoming-invoice"])
def test_the_open_period_takes_as_many_queries_for_many_lines(api, line, path, django_assert_max_num_queries):
    for number in range(8):
        brick = make.brick(line.workspace, f"Brick {number}")
        more = contracts.add_line(
            subscription=line.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR
        )
        make.use(more, "1", "2026-01-05")
    api.get("invoices/")

    with django_assert_max_num_queries(13):
        assert api.get(f"subscriptions/{line.subscription_id}/{path}/").status_code == 200
