"""Parts of the panel's pages around what they show."""

import re

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import RequestFactory

from billing.templatetags.panel import MOST
from tests import factories as make


def rendered(template: str, **values: object) -> str:
    """Return what a template writes, without the blanks around its tags."""
    text = Template("{% load panel %}" + template).render(Context(values))
    return re.sub(r"\s*(<[^>]*?)\s*(>)\s*", r"\1\2", text).strip()


def test_a_box_has_a_title_and_a_note_beside_it():
    assert rendered("{% box 'Usage' note='so far' classes='wide' id='usage' %}inside{% endbox %}") == (
        '<div class="panel-box wide" id="usage"><header><h2>Usage</h2><span class="panel-muted">so far</span>'
        "</header>inside</div>"
    )


def test_a_box_without_a_title_has_no_head():
    assert rendered("{% box %}inside{% endbox %}") == '<div class="panel-box">inside</div>'


def test_a_link_takes_the_place_of_a_note_and_a_fragment_is_loaded():
    text = rendered("{% box 'Usage' note='so far' link='/all/' link_text='All' load='/part/' %}{% endbox %}")

    assert '<a class="panel-link" href="/all/">All</a>' in text
    assert "so far" not in text
    assert 'hx-get="/part/"' in text


def test_a_table_aligns_columns_of_figures():
    assert rendered("{% table 'Customer|Total>' id='t' %}<tbody></tbody>{% endtable %}") == (
        '<div class="panel-scroll"><table class="panel-table" id="t"><thead><tr><th>Customer</th>'
        '<th class="number">Total</th></tr></thead><tbody></tbody></table></div>'
    )
    assert "<thead>" not in rendered("{% table %}<tbody></tbody>{% endtable %}")


@pytest.mark.parametrize(
    ("width", "attribute"), [("", ""), ("wide", ' class="wide"'), ("full", ' style="grid-column: 1 / -1"')]
)
def test_a_fact_stands_under_its_name(width, attribute):
    template = f"{{% fact 'Name' width='{width}' %}}Globex{{% endfact %}}"

    assert rendered(template) == f"<div{attribute}><dt>Name</dt><dd>Globex</dd></div>"


def test_values_are_escaped():
    text = rendered("{% fact name %}{{ value }}{% endfact %}", name="<b>", value="<i>")

    assert text.count("&lt;") == 2


@pytest.mark.django_db
class TestSwitch:
    def rendered(self) -> str:
        request = RequestFactory().get("/admin/")
        request.user = User.objects.get_or_create(username="fiona")[0]
        return rendered("{% workspace_switch %}", request=request)

    def test_without_a_choice_there_is_none(self):
        assert self.rendered() == ""

    def test_the_workspace_that_is_shown_is_marked(self):
        acme = make.workspace("acme")
        make.workspace("initech")

        text = self.rendered()

        assert text.count('<button type="submit" name="workspace"') == 4
        assert re.findall(r'value="(\d+)" aria-current="true"', text) == [str(acme.pk)]
        # The twins of both.
        assert text.count('class="panel-test"') == 2
        assert "All workspaces" not in text

    def test_of_more_than_so_many_the_rest_is_reached_by_their_list(self):
        for n in range(MOST // 2 + 1):
            make.workspace(f"w{n:03}")

        text = self.rendered()

        assert text.count('<button type="submit" name="workspace"') == MOST
        assert "All workspaces" in text
