from django.db import migrations

import billing.jsontext


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_folded_filters"),
        ("usage", "0003_stored_replies_by_age"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagerecord",
            name="folded",
            field=billing.jsontext.ExactJSONField(blank=True, editable=False, null=True),
        ),
    ]
