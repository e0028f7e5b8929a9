"""When a key was last used leaves the keys' table, which is read at each request, for one of its own."""

import django.db.models.deletion
from django.db import migrations, models

import billing.tenancy.keys

_KEEP_USES = """
INSERT INTO billing_apikeyuse (workspace_id, api_key_id, last_used_at)
SELECT workspace_id, id, last_used_at FROM billing_apikey WHERE last_used_at IS NOT NULL
"""
_TAKE_BACK_USES = """
UPDATE billing_apikey
SET last_used_at = (SELECT u.last_used_at FROM billing_apikeyuse u WHERE u.api_key_id = billing_apikey.id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKeyUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_used_at", models.DateTimeField()),
                (
                    "api_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="billing.apikey",
                    ),
                ),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "api_key"), name="billing_api_key_has_one_use")
                ],
            },
        ),
        migrations.RunSQL(_KEEP_USES, _TAKE_BACK_USES),
        migrations.RemoveField(model_name="apikey", name="last_used_at"),
    ]
