"""Bricks that count events in the panel: their rules, and filters as text."""

from contextlib import suppress
from time import monotonic

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from billing.admin.brick_forms import filters_as_text, filters_from_text
from billing.models import Brick, EventRule
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

MANY = " " * 200_000
ADD = reverse("admin:billing_brick_add")
BRICK_ID = "0a6f5d5e-2f4e-4d6b-9a51-0c3c1c0a1b2c"
RULE = {
    "event_type": "message-sent",
    "event_aggregation": "sum",
    "event_property": "length",
    "event_filters": 'type = text, "fax, old"\nsize != 1.5',
    "is_case_sensitive": "on",
}


def page(of: Brick) -> str:
    return reverse("admin:billing_brick_change", args=[of.pk])


def a_brick(workspace_id: int, **changes: object) -> dict[str, object]:
    brick = {"name": "Characters", "workspace": workspace_id, "aggregation": "events", "unit_label": "characters"}
    return brick | {"description": "", "reference": "", "id": BRICK_ID} | RULE | changes


def test_brick_that_counts_events_is_added_with_its_rule():
    owner = make.workspace()

    response = administrator().post(ADD, a_brick(owner.pk))

    brick = Brick.objects.get()
    rule = brick.event_rules.get()
    assert response.status_code == 302
    assert (str(brick.pk), brick.workspace, brick.aggregation) == (BRICK_ID, owner, "events")
    assert (rule.event_type, rule.aggregation, rule.property) == ("message-sent", "sum", "length")
    assert (rule.filters, rule.negated) == ({"type": ["text", "fax, old"], "size": ["1.5"]}, ["size"])
    assert rule.is_case_sensitive


def test_other_bricks_have_no_rule_whatever_the_form_says():
    owner = make.workspace()

    administrator().post(ADD, a_brick(owner.pk, aggregation="sum"))

    assert not Brick.objects.get().event_rules.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_type": ""}, "event_type"),
        ({"event_property": ""}, "event_property"),
        ({"event_aggregation": "average"}, "event_aggregation"),
        ({"event_type": "a\tb"}, "event_type"),
        ({"event_property": "a\x85b"}, "event_property"),
        ({"event_filters": 'type = "a\nb"'}, "event_filters"),
        ({"event_filters": 'type = "a\x7f"'}, "event_filters"),
        ({"event_filters": '"ty\u2028pe" = a'}, "event_filters"),
        ({"event_filters": "type"}, "event_filters"),
        ({"event_filters": "type ="}, "event_filters"),
        ({"event_filters": "= text"}, "event_filters"),
        ({"event_filters": "\n".join(f"p{n} = x" for n in range(21))}, "event_filters"),
        ({"event_filters": "p = " + ",".join(f"v{n}" for n in range(101))}, "event_filters"),
        ({"event_filters": "type = a\ntype = b"}, "event_filters"),
    ],
)
def test_rule_is_refused_on_its_field(change, field):
    response = administrator().post(ADD, a_brick(make.workspace().pk, **change))

    assert field in response.context["adminform"].form.errors
    assert not Brick.objects.exists()


def test_rule_is_shown_and_followed_by_the_next_only_where_it_changes():
    owner, client = make.workspace(), administrator()
    client.post(ADD, a_brick(owner.pk))
    brick = Brick.objects.get()
    make.counting_line(make.customer(owner), brick)
    shown = client.get(page(brick)).context["adminform"].form
    same = {name: shown[name].value() for name in RULE}

    client.post(page(brick), a_brick(owner.pk, name="Renamed", **same))
    assert (Brick.objects.get().name, brick.event_rules.count()) == ("Renamed", 1)
    client.post(page(brick), a_brick(owner.pk, **same | {"event_filters": "", "is_case_sensitive": ""}))

    former, current = brick.event_rules.order_by("id")
    assert (former.replaced_at is None, current.replaced_at) == (False, None)
    assert (current.filters, current.is_case_sensitive, current.property) == ({}, False, "length")


def test_aggregation_of_a_free_brick_changes_with_its_rule():
    owner, client = make.workspace(), administrator()
    brick = make.brick(owner)

    client.post(page(brick), a_brick(owner.pk, event_type=""))
    assert Brick.objects.get().aggregation == "sum"
    client.post(page(brick), a_brick(owner.pk))
    assert (Brick.objects.get().aggregation, brick.event_rules.filter(replaced_at=None).count()) == ("events", 1)
    client.post(page(brick), a_brick(owner.pk, aggregation="sum"))
    assert (Brick.objects.get().aggregation, brick.event_rules.filter(replaced_at=None).count()) == ("sum", 0)


def test_viewer_reads_the_rule():
    brick = make.event_brick(
        make.workspace(), aggregation="unique", property="user", filters={"type": ["a", "b"]}, is_case_sensitive=False
    )

    viewer = client_of("billing.view_brick")
    shown = viewer.get(page(brick)).content.decode()

    assert "message-sent: distinct user where type is a or b, in upper or lower case" in shown
    assert viewer.get(reverse("admin:billing_brick_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("filters", "negated"),
    [
        ({}, []),
        ({"type": ["text"]}, []),
        ({"a b": ['say "hi"', "x, y", "", "="], "c": ["!=", "1"]}, ["c"]),
        ({" type ": ["text ", " fax", " "], "a=b": ["1"], "c!": ["1"], 'd"': ["2"]}, ["a=b"]),
        ({"type": ["two\nlines", 'a"b', '"', "x y"]}, ["type"]),
    ],
)
def test_filters_are_read_as_they_are_written(filters, negated):
    assert filters_from_text(filters_as_text(filters, negated)) == (filters, negated)


def test_filters_may_be_typed_with_or_without_spaces():
    assert filters_from_text("\r\n type=text,fax \r\nsize !=  1 , 2\n\n") == (
        {"type": ["text", "fax"], "size": ["1", "2"]},
        ["size"],
    )
    assert filters_from_text('"type "="text ","fax"\n') == ({"type ": ["text ", "fax"]}, [])
    for wrong in ("type: text", "type = text,", 'type = "text" x'):
        with pytest.raises(ValidationError):
            filters_from_text(wrong)


def test_marks_beside_an_equals_sign_belong_to_the_name_unless_one_negates():
    assert filters_from_text("a! = 1\n!=2\n!! != 3\nb!=4 \n\n c = 5") == (
        {"a!": ["1"], "!": ["2"], "!!": ["3"], "b": ["4"], "c": ["5"]},
        ["!!", "b"],
    )


@pytest.mark.parametrize(
    "text",
    [
        f"type{MANY}x",
        f"type = text{MANY}x",
        f'type = "text"{MANY}x',
        f'"type"{MANY}x',
        'type = "' + '"' * 200_001,
        *(f'{"x" * at}"' * 100_000 for at in range(2)),
        f"type{'! ' * 100_000}= text",
    ],
)
def test_filters_of_any_text_are_read_or_refused_at_once(text):
    """Read with patterns that try each blank anew, these take minutes."""
    began = monotonic()
    with suppress(ValidationError):
        filters_from_text(text)

    assert monotonic() - began < 5


def test_rule_is_kept_to_the_letter_and_shows_its_blanks():
    owner, client = make.workspace(), administrator()
    rule = {"event_type": " sent ", "event_property": "length ", "event_filters": '"type " = "text "'}
    client.post(ADD, a_brick(owner.pk, event_aggregation="sum", **rule))

    current = EventRule.objects.get()
    kept = (current.event_type, current.property, current.filters)
    assert kept == (" sent ", "length ", {"type ": ["text "]})
    assert " sent " in client.get(page(current.brick)).content.decode()
    shown = client_of("billing.view_brick").get(page(current.brick)).content.decode()
    assert "␣sent␣: total of length␣ where type␣ is text␣" in shown


def test_rule_that_had_line_breaks_before_is_kept_by_who_renames_the_brick():
    client = administrator()
    brick = make.event_brick(make.workspace())
    broken = {"event_type": "t\ne", "property": "p\nq", "filters": {"k\n": ["a\r\nb"], "c": ["d"]}}
    EventRule.objects.update(aggregation="sum", **broken)

    assert client.post(page(brick), page_of(client, page(brick)) | {"name": "Renamed"}).status_code == 302

    brick.refresh_from_db()
    rule = EventRule.objects.get()
    assert (brick.name, rule.replaced_at) == ("Renamed", None)
    assert {name: getattr(rule, name) for name in broken} == broken


def test_rule_whose_event_type_had_a_line_break_before_may_be_followed_by_one_with_it():
    client = administrator()
    brick = make.event_brick(make.workspace())
    EventRule.objects.update(event_type="t\ne")

    client.post(page(brick), page_of(client, page(brick)) | {"event_filters": "c = d"})

    rule = EventRule.objects.get(replaced_at=None)
    assert (rule.event_type, rule.filters) == ("t\ne", {"c": ["d"]})
