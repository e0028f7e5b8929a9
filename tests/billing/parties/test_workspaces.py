import pytest
from django.core.exceptions import ValidationError

from billing import history
from billing.models import AllowedOrigin, NumberSeries, Workspace
from billing.parties import add_origin, create_workspace, remove_origin, update_origin, update_workspace
from tests import factories as make

pytestmark = pytest.mark.django_db


def opened(**changes):
    return create_workspace(
        **{"code": "acc_01H8XYZ", "name": "Acme", "time_zone": "Europe/Berlin", "currency": "EUR"} | changes,
        actor=make.ACTOR,
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


def test_what_is_given_of_a_workspace_is_changed_and_its_twin_stays():
    live = opened()

    changed = update_workspace(
        workspace=live,
        name="Acme Ltd",
        time_zone="Asia/Tokyo",
        closing_delay_hours=0,
        number_format="comma",
        actor=make.ACTOR,
    )

    assert changed == Workspace.objects.get(pk=live.pk)
    assert (changed.name, changed.time_zone, changed.closing_delay_hours, changed.currency) == (
        "Acme Ltd",
        "Asia/Tokyo",
        0,
        "EUR",
    )
    assert Workspace.objects.get(pk=live.twin.pk).name == "Acme"
    newest = history.changes_of(live).first()
    assert (newest.action, newest.values["name"]) == ("changed", ["Acme", "Acme Ltd"])


def test_a_change_of_nothing_in_a_workspace_is_not_told():
    live = opened()
    before = history.changes_of(live).count()

    update_workspace(workspace=live, name="Acme", currency="EUR", actor=make.ACTOR)

    assert history.changes_of(live).count() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"currency": "eur"}, "currency"),
        ({"closing": "never"}, "closing"),
        ({"closing_delay_hours": -1}, "closing_delay_hours"),
        ({"number_format": "roman"}, "number_format"),
        ({"day_format": "stardate"}, "day_format"),
    ],
)
def test_change_of_a_workspace_is_refused_on_its_field(changes, field):
    live = opened()

    with pytest.raises(ValidationError) as refusal:
        update_workspace(workspace=live, **changes, actor=make.ACTOR)

    assert list(refusal.value.message_dict) == [field]
    assert Workspace.objects.get(pk=live.pk).time_zone == "Europe/Berlin"


def test_the_time_zone_is_fixed_once_there_are_subscriptions():
    owner = make.line().workspace

    with pytest.raises(ValidationError) as refusal:
        update_workspace(workspace=owner, time_zone="Asia/Tokyo", actor=make.ACTOR)

    assert list(refusal.value.message_dict) == ["time_zone"]
    assert (
        update_workspace(workspace=owner, time_zone=owner.time_zone, name="Acme Ltd", actor=make.ACTOR).name
        == "Acme Ltd"
    )


def origins_of(workspace):
    return sorted(AllowedOrigin.objects.filter(workspace=workspace).values_list("origin", flat=True))


def test_web_sites_are_added_changed_and_removed():
    live = opened()

    first = add_origin(workspace=live, origin="https://one.example.com", actor=make.ACTOR)
    add_origin(workspace=live, origin="https://two.example.com", actor=make.ACTOR)
    update_origin(allowed=first, origin="https://three.example.com:8443", actor=make.ACTOR)
    assert origins_of(live) == ["https://three.example.com:8443", "https://two.example.com"]

    remove_origin(allowed=first, actor=make.ACTOR)
    remove_origin(allowed=first, actor=make.ACTOR)
    assert origins_of(live) == ["https://two.example.com"]
    assert [change.action for change in history.changes_of(live)][:4] == ["removed", "changed", "added", "added"]


@pytest.mark.parametrize("origin", ["", "example.com", "https://example.com/path", "https://one.example.com"])
def test_a_web_site_that_is_none_or_there_already_is_refused(origin):
    live = opened()
    first = add_origin(workspace=live, origin="https://one.example.com", actor=make.ACTOR)
    other = add_origin(workspace=live, origin="https://two.example.com", actor=make.ACTOR)

    for refused in (
        lambda: add_origin(workspace=live, origin=origin, actor=make.ACTOR),
        lambda: update_origin(allowed=other, origin=origin, actor=make.ACTOR),
    ):
        with pytest.raises(ValidationError) as refusal:
            refused()
        assert list(refusal.value.message_dict) == ["origin"]

    assert origins_of(live) == sorted([first.origin, other.origin])


def test_a_web_site_of_another_workspace_may_be_the_same_and_a_twin_has_none_of_its_own():
    live, other = opened(), opened(code="acc_other")
    add_origin(workspace=live, origin="https://one.example.com", actor=make.ACTOR)
    add_origin(workspace=other, origin="https://one.example.com", actor=make.ACTOR)

    with pytest.raises(ValidationError, match="origins of its live workspace"):
        add_origin(workspace=live.twin, origin="https://one.example.com", actor=make.ACTOR)
