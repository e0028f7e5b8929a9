from typing import Any

from django.db import migrations, models

import billing.jsontext


def list_surprises(apps: Any, schema_editor: Any) -> None:
    lines = apps.get_model("billing", "InvoiceLine").objects.exclude(surprise="")
    for surprise in lines.order_by().values_list("surprise", flat=True).distinct():
        lines.filter(surprise=surprise).update(surprises=[surprise])


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_events_limits_and_origins"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoiceline",
            name="surprises",
            field=billing.jsontext.ExactJSONField(
                default=list, help_text="All that a reviewer should look at, noted when it was drafted."
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="surprise",
            field=models.CharField(blank=True, help_text="What rating wonders at; in the document.", max_length=200),
        ),
        migrations.RunPython(list_surprises, migrations.RunPython.noop),
    ]
