from django.db import migrations

import billing.jsontext


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0017_problems_of_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoiceline",
            name="filter_gaps",
            field=billing.jsontext.ExactJSONField(
                default=dict,
                help_text="Per property that its rule filters by, how many events there are where none has it, else 0.",
            ),
        ),
    ]
