"""Templates are used and can be read."""

import re
from pathlib import Path

import pytest
from django.apps import apps

from tests.sources import ROOT, sources

pytestmark = pytest.mark.once

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Django looks for the pages of these answers by their names.
OF_ANSWERS = {f"{name}.html" for name in ("400", "403", "403_csrf", "404", "500")}
LONGEST_TEMPLATE_LINE = 140


def overrides_a_frameworks(name: str) -> bool:
    apps_below = [app.path for app in apps.get_app_configs() if app.label not in ("billing", "usage")]
    return any((Path(folder) / "templates" / name).exists() for folder in apps_below)


def test_every_template_is_used_or_takes_the_place_of_a_frameworks():
    texts = [text for _, text in sources()] + [path.read_text() for path in TEMPLATES]
    used = {name for text in texts for name in re.findall(r"""["']([\w/]+\.html)["']""", text)}
    names = [str(path.relative_to(ROOT / "templates")) for path in TEMPLATES]

    assert len(names) > 40
    assert [name for name in names if name not in used | OF_ANSWERS and not overrides_a_frameworks(name)] == []


def test_templates_can_be_read():
    lines = [(path, number, line) for path in TEMPLATES for number, line in enumerate(path.read_text().splitlines(), 1)]
    too_long = [f"{path}:{number}" for path, number, line in lines if len(line) > LONGEST_TEMPLATE_LINE]

    assert [path for path in TEMPLATES if not path.read_text().strip()] == []
    assert too_long == []
