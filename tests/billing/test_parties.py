import pytest
from django.core.exceptions import ValidationError

from billing.models import NumberSeries, Workspace
from billing.parties import create_workspace

pytestmark = pytest.mark.django_db


def opened(**changes):
    return create_workspace(
        **{"code": "acc_01H8XYZ", "name": "Acme", "time_zone": "Europe/Berlin", "currency": "EUR"} | changes
    )


def test_workspace_opens_with_its_test_twin():
    live = opened(closing_delay_hours=6, closing=Workspace.Closing.ISSUE)

    shared = ("code", "name", "time_zone", "currency", "closing_delay_hours")
    assert [getattr(live, name) for name in shared] == [getattr(live.twin, name) for name in shared]
    assert [(row.mode, row.live, row.closing) for row in (live, live.twin)] == [
        ("live", None, "issue"),
        ("test", live, "manual"),
    ]
    assert [str(live), str(live.twin)] == ["Acme", "Acme (test)"]
    assert Workspace.objects.count() == 2


def test_each_twin_numbers_its_own_invoices_and_lines_from_one():
    live = opened()

    series = NumberSeries.objects.order_by("workspace_id", "kind").values_list("workspace_id", "kind", "next_sequence")
    assert list(series) == [
        (workspace.pk, kind, 1) for workspace in (live, live.twin) for kind in ("credit_note", "invoice", "line")
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": ""}, "code"),
        ({"code": "a b"}, "code"),
        ({"code": "acme/x"}, "code"),
        ({"code": "acme\n"}, "code"),
        ({"code": "-acme"}, "code"),
        ({"code": "x" * 65}, "code"),
        ({"name": ""}, "name"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "europe/berlin"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XAU"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"closing": "never"}, "closing"),
        ({"closing_delay_hours": -1}, "closing_delay_hours"),
    ],
)
def test_bad_field_is_named_and_nothing_opens(changes, field):
    with pytest.raises(ValidationError) as refusal:
        opened(**changes)

    assert list(refusal.value.message_dict) == [field]
    assert not Workspace.objects.exists()


def test_taken_code_is_refused():
    opened()

    with pytest.raises(ValidationError):
        opened(name="Another")

    assert Workspace.objects.count() == 2


def test_code_tells_upper_from_lower_case():
    assert [opened(code=code).code for code in ("acme", "ACME")] == ["acme", "ACME"]
