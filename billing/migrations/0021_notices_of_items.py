from django.db import migrations

import billing.jsontext


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0020_contents_of_sent_forms"),
    ]

    operations = [
        migrations.AddField(
            model_name="closeitem",
            name="notices",
            field=billing.jsontext.ExactJSONField(
                db_default=[],
                default=list,
                help_text="What a reviewer should look at where there is no invoice to say it.",
            ),
        ),
    ]
