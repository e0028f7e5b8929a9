"""The History page: what was changed, by whoever, beside what the panel has logged."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone

from billing import actors, catalog, contracts, history, parties
from billing.catalog import EventTerms
from billing.models import ApiKey, Change, CloseRun, Invoice
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, queries_of
from tests.scenarios.closing import close_and_issue
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def page(row):
    return reverse(f"admin:billing_{row._meta.model_name}_history", args=[row.pk])


def test_what_a_key_has_changed_is_shown_with_both_values_in_the_workspaces_time():
    owner = make.workspace(time_zone="Asia/Tokyo")
    make.api_key(owner)
    key = ApiKey.objects.get()
    customer = make.customer(owner, email="old@globex.example")
    actor = actors.api_key(key, via="sequence")
    parties.update_customer(customer=customer, email="new@globex.example", actor=actor)

    shown = administrator().get(page(customer)).content.decode()

    assert "old@globex.example" in shown
    assert "new@globex.example" in shown
    assert f"API key a service ({key.prefix}…), sequence" in shown
    assert "Times of Asia/Tokyo" in shown
    assert "doesn’t have a change history" not in shown


def test_what_a_person_changes_in_the_panel_names_them():
    customer, client = make.customer(make.workspace()), administrator()
    url = reverse("admin:billing_customer_change", args=[customer.pk])
    aliases = {"aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0"}

    client.post(url, {"name": "Other", "reference": "", "email": "", "address": "", **aliases})

    change = Change.objects.latest("id")
    assert (change.actor_kind, change.actor_name, change.values) == (
        "person",
        "Fiona Ledger",
        {"name": ["Globex", "Other"]},
    )
    shown = client.get(page(customer)).content.decode()
    assert "Changed Name." in shown
    assert "Person Fiona Ledger" in shown


def test_the_page_of_a_subscription_shows_its_lines():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-05-01"), actor=make.ACTOR)

    shown = administrator().get(page(line.subscription)).content.decode()

    assert f"line {line.number} Ends at changed" in shown
    assert "<td>1 May 2026, 00:00</td>" in shown


@pytest.mark.parametrize(
    ("style", "amount", "quantity"), [("point", "1,234.500", "2,000.5"), ("comma", "1.234,500", "2.000,5")]
)
def test_limits_are_told_in_the_currency_and_the_format_of_their_page(style, amount, quantity):
    line = make.line(make.workspace(currency="KWD", number_format=style))
    limits = {"hard_limit_amount": amount, "soft_limit_quantity": quantity}
    url, client = reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk]), administrator()
    client.post(url, limits)

    shown = client.get(page(line.subscription)).content.decode()

    said = f"Line 1: Hard limit: amount KWD {amount}, Soft limit: quantity {quantity}."
    assert LogEntry.objects.get().get_change_message() == said
    assert said in shown
    assert "line 1 Hard limit: amount changed" in shown
    assert f"<td>KWD {amount}</td>" in shown
    assert f"<td>{quantity}</td>" in shown
    assert "limit_amount" not in shown
    # The history has it plain.
    assert Change.objects.latest("id").values["hard_limit_amount"] == [None, "1234.5"]


def test_prices_are_told_in_the_currency_that_they_had():
    owner = make.workspace(number_format="comma")
    price = make.price(make.brick(owner), "1234.5")
    price.currency, price.unit_price = "JPY", Decimal(2000)
    history.save(price, fields=["currency", "unit_price"], actor=make.ACTOR)

    shown = administrator().get(page(price)).content.decode()

    assert "Unit price changed" in shown
    assert "<td>USD 1.234,50</td>" in shown
    assert "<td>JPY 2.000</td>" in shown
    assert "Per unit" in shown


def test_tiers_are_told_in_the_currency_and_the_workspaces_format():
    owner = make.workspace(number_format="comma")
    price = make.price(make.brick(owner), model="volume", tiers=[("1000.5", "2.5", "0"), (None, "1234", "0")])

    shown = administrator().get(page(price)).content.decode()

    assert "<td>up to 1.000,5: USD 2,50, fee USD 0,00; up to any: USD 1.234,00, fee USD 0,00</td>" in shown


def test_a_days_and_a_choices_history_is_in_words():
    agreed = make.subscription(make.customer(make.workspace()))

    shown = administrator().get(page(agreed)).content.decode()

    assert "<td>Thu 1 Jan 2026</td>" in shown
    assert "<td>Monthly</td>" in shown


def test_the_history_is_only_for_who_sees_the_row():
    customer = make.customer(make.workspace())

    assert client_of("billing.view_invoice").get(page(customer)).status_code == 403
    assert client_of("billing.view_customer").get(page(customer)).status_code == 200


def test_a_history_of_any_length_takes_as_many_queries():
    owner = make.workspace()
    customers = make.customer(owner, "Globex"), make.customer(owner, "Initech")
    for n in range(30):
        parties.update_customer(customer=customers[1], address=f"Street {n}", actor=make.ACTOR)
    client = administrator()

    assert queries_of(client, page(customers[0])) == queries_of(client, page(customers[1]))


def test_prices_changed_in_the_panel_are_told_tier_by_tier_where_they_differ():
    price = make.price(make.brick(make.workspace()), model="volume", tiers=[("10", "2", "0"), (None, "1", "0")])
    client = administrator()
    last = Change.objects.latest("id").pk
    tiers = list(price.tiers.order_by("id"))
    form = {
        "name": price.name,
        "model": "volume",
        "currency": "USD",
        "unit_price": "0",
        "tiers-TOTAL_FORMS": "2",
        "tiers-INITIAL_FORMS": "2",
    }
    for place, (tier, unit_price) in enumerate(zip(tiers, ("2", "1.25"), strict=True)):
        bound = "" if tier.up_to is None else "10"
        form |= {f"tiers-{place}-id": str(tier.pk), f"tiers-{place}-up_to": bound}
        form |= {f"tiers-{place}-unit_price": unit_price, f"tiers-{place}-fee": "0"}

    response = client.post(reverse("admin:billing_price_change", args=[price.pk]), form)

    assert response.status_code == 302, response.context["errors"]
    assert [change.values for change in Change.objects.filter(pk__gt=last)] == [
        {
            "tiers": [
                ["up to 10: 2, fee 0", "up to any: 1, fee 0"],
                ["up to 10: 2, fee 0", "up to any: 1.25, fee 0"],
            ]
        }
    ]


def test_what_the_panel_has_logged_is_told_in_the_workspaces_time():
    customer = make.customer(make.workspace(time_zone="Asia/Tokyo"))
    entry = {"user_id": User.objects.create(username="otto").pk, "object_id": str(customer.pk), "action_flag": 2}
    kind = ContentType.objects.get_for_model(customer)
    LogEntry.objects.create(**entry, content_type=kind, action_time=make.moment("2026-01-31 20:30"))

    shown = administrator().get(page(customer)).content.decode()

    assert "Feb. 1, 2026, 5:30 a.m." in shown
    assert "Times of Asia/Tokyo" in shown


def test_what_was_logged_of_a_person_says_that_its_times_are_utc():
    otto = User.objects.create(username="otto")
    entry = {"user_id": otto.pk, "object_id": str(otto.pk), "action_flag": 2}
    kind = ContentType.objects.get_for_model(otto)
    LogEntry.objects.create(**entry, content_type=kind, action_time=make.moment("2026-01-31 20:30"))

    shown = administrator().get(reverse("admin:auth_user_history", args=[otto.pk])).content.decode()

    assert "Jan. 31, 2026, 8:30 p.m." in shown
    assert "Times of UTC" in shown


def test_blanks_at_the_ends_of_what_was_changed_are_seen():
    customer = make.customer(make.workspace(), reference="C-1 ")
    parties.update_customer(customer=customer, reference=" C-1", actor=make.ACTOR)

    shown = administrator().get(page(customer)).content.decode()

    assert "<td>C-1␣</td>" in shown
    assert "<td>␣C-1</td>" in shown


def test_filters_of_a_rule_are_told_in_words():
    filters = {"kind": ["text", "fax "], "region": ["eu"], "plan": ["trial", "none"]}
    brick = make.event_brick(make.workspace(), filters=filters, negated=["plan"])

    shown = administrator().get(page(brick)).content.decode()

    assert "<td>kind is text or fax␣; plan is not trial or none; region is eu</td>" in shown
    assert "Negated" not in shown
    assert "[" not in shown[shown.index("Changes") : shown.index("kind is text")]


def test_the_page_of_a_brick_with_long_rules_is_bounded():
    brick = make.event_brick(make.workspace(), filters={"note": ["first"]})
    for n in range(60):
        filters = {f"p{m}": [f"{n}-{m}-{k}" + "x" * 100 for k in range(20)] for m in range(5)}
        catalog.set_event_rule(
            brick=brick, rule=EventTerms("t", "count", filters=filters), as_of=timezone.now(), actor=make.ACTOR
        )

    shown = administrator().get(page(brick)).content.decode()

    assert len(shown) < 1_000_000
    assert "59-0-0x" in shown
    assert "… and " in shown
    assert "59-4-19x" not in shown


def test_what_has_no_history_of_changes_offers_none_and_leads_to_its_own_page():
    line = make.line()
    make.use(line, "3", "2026-01-10")
    close_and_issue(line.workspace, "2026-02-01")
    client = administrator()

    for row, model in (
        (UsageRecord.objects.get(), "usage_usagerecord"),
        (Invoice.objects.get(), "billing_invoice"),
    ):
        own = reverse(f"admin:{model}_change", args=[row.pk])
        history_url = reverse(f"admin:{model}_history", args=[row.pk])
        assert history_url not in client.get(own).content.decode()
        answer = client.get(history_url)
        assert (answer.status_code, answer["Location"]) == (302, own)
        assert client.get(reverse(f"admin:{model}_history", args=[999_999])).status_code == 404
        assert client_of().get(history_url).status_code == 403
    for row in (line.subscription, CloseRun.objects.get()):
        own = reverse(f"admin:billing_{row._meta.model_name}_change", args=[row.pk])
        assert page(row) in client.get(own).content.decode()
