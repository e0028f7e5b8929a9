"""The command replay: what it says of each invoice, and when it fails."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice, PriceTier
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice() -> Invoice:
    line = make.line()
    make.use(line, "10", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    return Invoice.objects.get()


def test_command_goes_on_after_a_price_whose_tiers_are_gone(invoice):
    tiered = make.line(invoice.workspace, model="graduated", tiers=[(None, "1", "0")])
    close_and_issue(tiered.workspace, "2026-02-01")
    PriceTier.objects.all().delete()
    said = StringIO()

    with pytest.raises(CommandError, match="1 of 2 invoices can't be reproduced."):
        call_command("replay", "--all", stdout=said)

    assert "INV-000001: identical" in said.getvalue()
    assert "INV-000002 can't be recomputed. tiers: at least one tier is required." in said.getvalue()


def test_the_command_says_identical(invoice):
    said = StringIO()

    call_command("replay", "INV-000001", stdout=said)

    assert said.getvalue() == f"INV-000001: identical ({invoice.document_sha256[:12]}).\n"


def test_the_command_shows_the_difference_and_fails(invoice):
    UsageRecord.objects.update(quantity=11)
    said = StringIO()

    with pytest.raises(CommandError, match="1 of 1 invoices can't be reproduced"):
        call_command("replay", "--all", stdout=said)

    assert "lines.0.quantity: issued '10', computed '11'" in said.getvalue()


def test_the_command_knows_no_such_invoice():
    with pytest.raises(CommandError, match="no issued invoice 'INV-9'"):
        call_command("replay", "INV-9")


def replayed(*arguments: str) -> str:
    said = StringIO()
    call_command("replay", *arguments, stdout=said)
    return said.getvalue()


@pytest.mark.parametrize("code", ["nope", "", "ACME"])
def test_command_refuses_a_workspace_that_is_not_there(invoice, code):
    with pytest.raises(CommandError, match=f"There is no workspace '{code}' in live mode."):
        replayed("--all", "--workspace", code)
    with pytest.raises(CommandError, match=f"There is no workspace '{code}' in live mode."):
        replayed("INV-000001", "--workspace", code)


def test_command_replays_the_named_workspace_alone(invoice):
    other = make.workspace("globex")

    assert "INV-000001: identical" in replayed("--all", "--workspace", "acme")
    assert replayed("--all", "--workspace", other.code) == "Nothing to replay: no invoice was issued.\n"
    assert replayed("--all", "--workspace", "acme", "--test").startswith("Nothing to replay")


def test_command_passes_over_no_number_beside_all(invoice):
    with pytest.raises(CommandError, match="not both"):
        replayed("INV-9", "--all")
