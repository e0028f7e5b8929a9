"""A page that is older than what others did tells so, and undoes nothing; a form changes what was changed on it."""

from datetime import date

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core import signing
from django.urls import reverse

from billing import catalog, contracts, keys, parties
from billing.admin.saving import NO_MORE
from billing.admin.seen import SALT
from billing.contracts import Limits
from billing.models import ApiKey, Brick, Customer, EventRule, Line, Price, Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator, problems_of
from tests.scenarios.closing import close_and_issue
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def change_page(row: object) -> str:
    return reverse(f"admin:billing_{type(row).__name__.lower()}_change", args=[row.pk])  # type: ignore[attr-defined]


def told_on(response) -> str:
    assert response.status_code == 200
    return " ".join(
        problems_of(response) + [str(error) for error in response.context["adminform"].form.non_field_errors()]
    )


def test_stale_workspace_form_undoes_nothing_and_tells_what_was_changed():
    owner, client = make.workspace(), administrator()
    url = change_page(owner)
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"closing": "issue"})
    refused = client.post(url, b | {"name": "Acme Inc."})

    assert "Closing: it was “Manually” and is “Automatically, without review” now." in told_on(refused)
    assert (Workspace.objects.get(mode="live").name, Workspace.objects.get(mode="live").closing) == ("Acme", "issue")
    # The page shows what there is now, with what was typed; saved again, it changes the name alone.
    again = shown_on(refused)
    assert (again["name"], again["closing"]) == ("Acme Inc.", "issue")
    assert client.post(url, again).status_code == 302
    owner.refresh_from_db()
    assert (owner.name, owner.closing) == ("Acme Inc.", "issue")


def test_both_changed_the_same_field_and_the_second_is_told_what_he_would_undo():
    customer, client = make.customer(make.workspace()), administrator()
    url = change_page(customer)
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"email": "a@example.com"})
    refused = client.post(url, b | {"email": "b@example.com"})

    assert "Email: it was empty and is “a@example.com” now." in told_on(refused)
    assert Customer.objects.get().email == "a@example.com"
    client.post(url, shown_on(refused))
    assert Customer.objects.get().email == "b@example.com"


def test_both_changed_it_to_the_same_and_nobody_is_asked():
    customer, client = make.customer(make.workspace()), administrator()
    url = change_page(customer)
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"email": "a@example.com"})

    assert client.post(url, b | {"email": "a@example.com", "name": "New"}).status_code == 302
    assert Customer.objects.get().name == "New"


def test_stale_brick_form_keeps_the_rule_that_another_person_made():
    owner, client = make.workspace(), administrator()
    brick = make.event_brick(owner, filters={"type": ["text"]})
    url = change_page(brick)
    b = page_of(client, url)
    catalog.set_event_rule(
        brick=brick,
        rule=catalog.EventTerms(event_type="call-made", aggregation="count"),
        as_of=make.moment("2026-02-01"),
        actor=make.ACTOR,
    )

    refused = client.post(url, b | {"name": "Renamed"})

    assert "Event type: it was “message-sent” and is “call-made” now." in told_on(refused)
    assert EventRule.objects.get(replaced_at=None).event_type == "call-made"
    client.post(url, shown_on(refused))
    assert Brick.objects.get().name == "Renamed"
    assert EventRule.objects.get(replaced_at=None).event_type == "call-made"


def test_stale_key_form_and_stale_price_form_are_told_too():
    line, client = make.line(), administrator()
    make.api_key(line.workspace)
    key, price = ApiKey.objects.get(), line.price
    key_page, price_page = page_of(client, change_page(key)), page_of(client, change_page(price))
    ApiKey.objects.update(requests_per_minute=600)
    Price.objects.update(unit_price=3)

    refused = client.post(change_page(key), key_page | {"name": "meter"})
    refused_price = client.post(change_page(price), price_page | {"name": "Gold"})

    assert "Requests per minute: it was empty and is “600” now." in told_on(refused)
    assert "Unit price: it was “2” and is “3” now." in told_on(refused_price)
    assert ApiKey.objects.get().requests_per_minute == 600
    assert Price.objects.get().unit_price == 3


def test_price_that_was_billed_meanwhile_is_shown_and_told():
    line, client = make.line(), administrator()
    url = change_page(line.price)
    form = page_of(client, url)
    close_and_issue(line.workspace, "2026-02-01")

    answer = client.post(url, form | {"unit_price": "7"}, follow=True)

    assert answer.redirect_chain == [(url, 302)]
    assert [str(one) for one in answer.context["messages"]] == [NO_MORE]
    assert Price.objects.get().unit_price == 2


def test_key_that_was_revoked_meanwhile_stays_revoked_by_the_first():
    key, client = keys.create_key(workspace=make.workspace(), name="Hub", actor=make.actor("test"))[0], administrator()
    url = reverse("admin:billing_apikey_revoke", args=[key.pk])
    form = page_of(client, url)
    keys.revoke_key(key=key, as_of=make.moment("2026-01-01"), actor=make.ACTOR)

    answer = client.post(url, form)

    assert answer["Location"] == change_page(key)
    assert ApiKey.objects.get().revoked_at == make.moment("2026-01-01")


def test_person_who_was_deactivated_meanwhile_stays_so():
    otto, client = User.objects.create_user("otto", is_staff=True), administrator()
    sales = Group.objects.create(name="Sales")
    url = reverse("admin:auth_user_change", args=[otto.pk])
    a, b = page_of(client, url), page_of(client, url)
    del a["is_active"]

    assert client.post(url, a | {"groups": [sales.pk]}).status_code == 302
    refused = client.post(url, b | {"first_name": "Otto"})

    told = told_on(refused)
    assert "Active: it was yes and is no now." in told
    assert "Groups: it was empty and is “Sales” now." in told
    assert client.post(url, shown_on(refused)).status_code == 302
    otto.refresh_from_db()
    assert (otto.first_name, otto.is_active, list(otto.groups.all())) == ("Otto", False, [sales])


def test_page_of_a_person_carries_no_hash_of_a_password():
    otto = User.objects.create_user("otto", password="a long password")
    page = page_of(administrator(), reverse("admin:auth_user_change", args=[otto.pk]))

    carried = signing.loads(page["seen"], salt=SALT)

    assert carried["username"] == "otto"
    assert "password" not in carried


def test_permissions_that_a_group_was_given_meanwhile_are_not_taken_away():
    sales, client = Group.objects.create(name="Sales"), administrator()
    first, second = Permission.objects.filter(codename__in=["view_invoice", "view_line"]).order_by("codename")
    sales.permissions.add(second)
    url = reverse("admin:auth_group_change", args=[sales.pk])
    a, b = page_of(client, url), page_of(client, url)

    client.post(url, a | {"permissions": [first.pk, second.pk]})
    refused = client.post(url, b | {"name": "Sales team"})
    assert "Permissions: it was" in told_on(refused)
    client.post(url, shown_on(refused))

    sales.refresh_from_db()
    assert (sales.name, set(sales.permissions.all())) == ("Sales team", {first, second})


def test_limits_that_another_person_set_are_not_undone():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk])
    b = page_of(client, url)
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=100), actor=make.ACTOR)

    refused = client.post(url, b | {"soft_limit_quantity": "50"})

    assert "Hard limit: quantity: it was empty and is “100” now." in str(refused.context["form"].errors)
    client.post(url, shown_on(refused))
    line.refresh_from_db()
    assert (line.hard_limit_quantity, line.soft_limit_quantity) == (100, 50)


def test_end_that_another_person_agreed_is_told():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_line_end", args=[line.subscription_id, line.pk])
    b = page_of(client, url)
    contracts.end_line(line=line, ends_at=make.moment("2026-03-01"), actor=make.ACTOR)

    refused = client.post(url, b | {"ends_on": "2026-06-30"})

    assert "Last day: it was “–” and is “28 Feb 2026” now." in str(refused.context["form"].errors)
    assert Line.objects.get().ends_at == make.moment("2026-03-01")
    client.post(url, shown_on(refused))
    assert Line.objects.get().ends_at == make.moment("2026-07-01")


def test_end_page_of_yesterday_is_not_stale(time_machine):
    line, client = make.line(), administrator()
    url = reverse("admin:billing_line_end", args=[line.subscription_id, line.pk])
    time_machine.move_to("2026-03-31T12:00Z")
    shown = page_of(client, url)
    time_machine.move_to("2026-04-01T12:00Z")

    assert client.post(url, shown).status_code == 302
    assert Line.objects.get().ends_at == make.moment("2026-04-01")


def test_what_the_page_showed_can_not_be_made_up():
    customer, client = make.customer(make.workspace()), administrator()
    shown = page_of(client, change_page(customer))

    refused = client.post(change_page(customer), shown | {"seen": "e30:forged:forged", "name": "New"})

    assert refused.status_code == 200
    assert Customer.objects.get().name == "Globex"


def test_form_changes_nothing_that_was_not_touched():
    address = "Main St 1\n\nBerlin \n"
    customer = make.customer(make.workspace(), name="Globex ", reference="Customer 7 ", address=address)
    parties.add_alias(customer=customer, value=" tenant 9 ", label="as typed ", actor=make.ACTOR)
    client = administrator()

    client.post(change_page(customer), page_of(client, change_page(customer)) | {"email": "new@example.com"})

    customer.refresh_from_db()
    assert customer.email == "new@example.com"
    assert (customer.name, customer.reference) == ("Globex ", "Customer 7 ")
    assert customer.address == address
    assert customer.aliases.get().value == " tenant 9 "


def test_correction_of_a_record_that_was_corrected_meanwhile_is_told_on_its_form():
    line, client = make.line(), administrator()
    record = make.use(line, "3", "2026-01-05 10:00")
    url = reverse("admin:usage_usagerecord_correct", args=[record.id])
    shown = page_of(client, url)
    change = make.fix(record, "4")

    refused = client.post(url, shown | {"quantity": "5", "note": "misread"})
    opened = client.get(url, follow=True)

    assert refused.status_code == 200
    assert "finance has changed it to 4, Mon 5 Jan 2026, 10:00" in str(refused.context["form"].errors)
    assert reverse("admin:usage_usagerecord_change", args=[change.id]) in refused.content.decode()
    assert shown_on(refused)["quantity"] == "5"
    assert "finance has changed it to 4" in opened.content.decode()
    assert UsageRecord.objects.count() == 2


def test_retraction_of_what_was_retracted_meanwhile_is_told_on_its_form():
    line, client = make.line(starts_on=date(2026, 1, 1)), administrator()
    record = make.use(line, "3", "2026-01-05 10:00")
    url = reverse("admin:usage_usagerecord_retract", args=[record.id])
    make.take_back(record)

    refused = client.post(url, {"note": "entered twice"})

    assert "finance has retracted it" in str(refused.context["form"].errors)
    assert UsageRecord.objects.count() == 2
