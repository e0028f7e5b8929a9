"""A line's number, which clients know it by, is the workspace's own: so far it was the primary key of the table."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Max

GREATEST = 2**53 - 1
# A workspace whose numbers reach further has been given some at the end of the range: they leave its own no room.
GREATEST_TO_GO_ON_FROM = 2**52


def number_lines(apps: Any, schema_editor: Any) -> None:
    lines = apps.get_model("billing", "Line").objects.using(schema_editor.connection.alias)
    series = apps.get_model("billing", "NumberSeries").objects.using(schema_editor.connection.alias)
    workspaces = apps.get_model("billing", "Workspace").objects.using(schema_editor.connection.alias)
    lines.filter(id__lte=GREATEST).update(number=F("id"))
    for workspace_id in workspaces.order_by("pk").values_list("pk", flat=True):
        own = lines.filter(workspace_id=workspace_id)
        highest = own.filter(number__lte=GREATEST_TO_GO_ON_FROM).aggregate(highest=Max("number"))["highest"] or 0
        # No client could name those beyond the range.
        for line_id in own.filter(number=None).order_by("id").values_list("id", flat=True):
            highest += 1
            lines.filter(pk=line_id).update(number=highest)
        series.create(workspace_id=workspace_id, kind="line", next_sequence=highest + 1)


def forget_series(apps: Any, schema_editor: Any) -> None:
    apps.get_model("billing", "NumberSeries").objects.using(schema_editor.connection.alias).filter(kind="line").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_close_items_hold_their_subscriptions"),
    ]

    operations = [
        migrations.AddField(
            model_name="line",
            name="number",
            field=models.BigIntegerField(help_text="What clients call it. Unique in the workspace.", null=True),
        ),
        migrations.AlterField(
            model_name="numberseries",
            name="kind",
            field=models.CharField(
                choices=[("invoice", "Invoice"), ("credit_note", "Credit note"), ("line", "Line")], max_length=11
            ),
        ),
        migrations.RunPython(number_lines, forget_series),
        migrations.AlterField(
            model_name="line",
            name="number",
            field=models.BigIntegerField(help_text="What clients call it. Unique in the workspace."),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.UniqueConstraint(fields=("workspace", "number"), name="billing_line_number_is_unique"),
        ),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1), ("number__lte", GREATEST)),
                name="billing_line_number_is_in_range",
            ),
        ),
    ]
