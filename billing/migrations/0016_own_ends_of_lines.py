from django.db import migrations, models

# An end that is the subscription's is none of the line's own.
_KEEP_OWN_ENDS = """
UPDATE billing_line SET own_ends_at = ends_at
WHERE ends_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM billing_subscription s WHERE s.id = billing_line.subscription_id AND s.ends_at = billing_line.ends_at
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0015_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="line",
            name="own_ends_at",
            field=models.DateTimeField(editable=False, help_text="Empty: it ends with its subscription.", null=True),
        ),
        migrations.RunSQL(_KEEP_OWN_ENDS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="line",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("own_ends_at", None),
                    models.Q(("ends_at__isnull", False), ("ends_at__lte", models.F("own_ends_at"))),
                    _connector="OR",
                ),
                name="billing_line_does_not_end_after_its_own_end",
            ),
        ),
    ]
