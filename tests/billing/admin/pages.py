"""Post the forms of the panel's pages as a browser does: all fields that a form shows, with some changed."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse


class _Form(HTMLParser):
    """Collects the fields of a page's form that is posted, as they are shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: dict[str, Any] = {}
        self.inside = False
        self.select: str | None = None
        self.is_multiple = False
        self.area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            # What is in the head, on every page, is no part of it.
            heads = (reverse("admin:logout"), reverse("panel_workspace"))
            self.inside = (given.get("method") or "").lower() == "post" and given.get("action") not in heads
        elif not self.inside or not name and tag != "option":
            return
        elif tag == "input":
            self._input(name, given)
        elif tag == "select":
            self.select, self.is_multiple = name, "multiple" in given
            if self.is_multiple:
                self.fields[name] = []
        elif tag == "option" and self.select is not None and self.is_multiple:
            if "selected" in given:
                self.fields[self.select].append(given.get("value") or "")
        elif tag == "option" and self.select is not None:
            # Without one that is selected, a browser sends the first.
            if "selected" in given or self.select not in self.fields:
                self.fields[self.select] = given.get("value") or ""
        elif tag == "textarea":
            self.area, self.fields[name] = name, ""

    def _input(self, name: str, given: dict[str, str | None]) -> None:
        if given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                self.fields[name] = given.get("value") or "on"
        elif given.get("type") == "hidden":
            self.fields[name] = given.get("value") or ""
        elif given.get("type") not in ("submit", "button"):
            # A browser takes line breaks out of a line of text.
            self.fields[name] = (given.get("value") or "").replace("\r", "").replace("\n", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = None
        elif tag == "textarea" and self.area:
            # A browser leaves out the line break that a textarea begins with.
            self.fields[self.area] = self.fields[self.area].removeprefix("\r\n").removeprefix("\n")
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area] += data


def shown_on(response: Any) -> dict[str, Any]:
    """The fields of a page's form, as a browser would send them untouched."""
    form = _Form()
    form.feed(response.content.decode())
    return {name: value for name, value in form.fields.items() if "__prefix__" not in name}


def page_of(client: Client, url: str) -> dict[str, Any]:
    response = client.get(url)
    assert response.status_code == 200
    return shown_on(response)
