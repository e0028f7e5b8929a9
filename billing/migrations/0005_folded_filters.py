from typing import Any

from django.db import migrations, models
from django.db.models import Q

import billing.jsontext
from billing.caseless import fold


def fold_filters(apps: Any, schema_editor: Any) -> None:
    rules = apps.get_model("billing", "EventRule").objects.filter(is_case_sensitive=False)
    for rule in rules.iterator():
        rule.folded_filters = {name: sorted(set(map(fold, values))) for name, values in rule.filters.items()}
        rule.save(update_fields=["folded_filters"])


class Migration(migrations.Migration):
    # The rows are changed before the constraint: PostgreSQL alters no table on which checks of changes are pending.
    atomic = False
    dependencies = [
        ("billing", "0004_lines_that_carry_on"),
    ]

    operations = [
        migrations.AddField(
            model_name="eventrule",
            name="folded_filters",
            field=billing.jsontext.ExactJSONField(
                blank=True,
                editable=False,
                help_text="The filters without case, where they don't tell it.",
                null=True,
            ),
        ),
        migrations.RunPython(fold_filters, migrations.RunPython.noop, atomic=True),
        migrations.AddConstraint(
            model_name="eventrule",
            constraint=models.CheckConstraint(
                condition=Q(is_case_sensitive=True, folded_filters__isnull=True)
                | Q(is_case_sensitive=False, folded_filters__isnull=False),
                name="billing_event_rule_is_folded_where_case_is_ignored",
            ),
        ),
    ]
