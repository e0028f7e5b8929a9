import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import billing.storage.exact
import billing.storage.jsontext
import billing.tenancy.keys
from billing.storage.postgresql.deferred import make_last, on_postgresql

# How many events have no customer. From the statistics of each column alone the planner would expect a great many, and
# take the index of those that wait for large.
STATISTICS = "CREATE STATISTICS usage_record_of_nobody ON num_nulls(customer_id, customer_alias) FROM usage_usagerecord"
WAITING = """
CREATE INDEX usage_record_newest_unmatched ON usage_usagerecord (workspace_id, id DESC)
WHERE num_nulls(customer_id, customer_alias) = 1 AND superseded_by_id IS NULL
"""
# Records come nearly in the order in which they lie: ranges of blocks are index enough, and cost the intake nothing.
RECORDED = (
    "CREATE INDEX usage_record_by_arrival ON usage_usagerecord USING brin (recorded_at) WITH (autosummarize = on)"
)


# Each index seems to find one record of a workspace that is in no statistics yet. Of large indexes that cost the same,
# the one made last is taken: for a look-up by key it has to be the one of keys.
KEY = "usage_record_key_is_unique_while_live"
# So that a new workspace is soon in the statistics: by default they would wait for a tenth of all records to be new.
ANALYSED = """
ALTER TABLE usage_usagerecord SET (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000)
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("billing", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.workspace",
                    ),
                ),
                (
                    "line",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="billing.line",
                    ),
                ),
                ("customer_alias", models.CharField(blank=True, max_length=255, null=True)),
                (
                    "customer",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="billing.customer",
                    ),
                ),
                ("event_type", models.CharField(blank=True, max_length=255, null=True)),
                (
                    "quantity",
                    billing.storage.exact.ExactDecimalField(blank=True, decimal_places=9, max_digits=24, null=True),
                ),
                ("occurred_at", models.DateTimeField(help_text="The time of usage, which determines the period.")),
                ("recorded_at", models.DateTimeField(help_text="The time of receipt.")),
                ("is_late", models.BooleanField(help_text="It affected a closed period.")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("entry", "Entry"),
                            ("correction", "Correction"),
                            ("retraction", "Retraction"),
                            ("match", "Match"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "source",
                    models.CharField(choices=[("api", "API"), ("file", "File"), ("panel", "Panel")], max_length=5),
                ),
                ("dialect", models.CharField(max_length=20)),
                (
                    "key",
                    models.CharField(
                        blank=True, help_text="The sender's own id of the record.", max_length=255, null=True
                    ),
                ),
                (
                    "recorded_by",
                    models.CharField(
                        help_text="The key, the user, or the file and row that it came from.", max_length=200
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="The reason for the entry, correction or retraction.", max_length=500
                    ),
                ),
                ("properties", billing.storage.jsontext.ExactJSONField(blank=True, null=True)),
                ("folded", billing.storage.jsontext.ExactJSONField(blank=True, editable=False, null=True)),
                (
                    "origin",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="descendants",
                        to="usage.usagerecord",
                    ),
                ),
                (
                    "superseded_by",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="supersedes",
                        to="usage.usagerecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "usage record",
                "indexes": [
                    models.Index(fields=["workspace", "occurred_at", "id"], name="usage_record_all_by_time"),
                    models.Index(
                        condition=models.Q(("is_late", True)), fields=["workspace", "-id"], name="usage_record_all_late"
                    ),
                    models.Index(
                        fields=["workspace", "line", "occurred_at", "id"],
                        include=("quantity", "superseded_by", "kind"),
                        name="usage_record_by_line",
                    ),
                    models.Index(
                        condition=models.Q(("is_late", True)),
                        fields=["workspace", "line", "id"],
                        name="usage_record_late",
                    ),
                    models.Index(
                        condition=models.Q(("origin__isnull", False)),
                        fields=["workspace", "origin"],
                        name="usage_record_by_origin",
                    ),
                    models.Index(
                        condition=models.Q(("customer__isnull", False)),
                        fields=["workspace", "customer", "event_type", "occurred_at", "id"],
                        name="usage_record_by_customer",
                    ),
                    models.Index(
                        condition=models.Q(("occurred_at__gt", models.F("recorded_at")), ("superseded_by", None)),
                        fields=["workspace", "occurred_at"],
                        name="usage_record_dated_ahead",
                    ),
                    models.Index(
                        condition=models.Q(("customer_alias__isnull", False)),
                        fields=["workspace", "customer_alias", "id"],
                        name="usage_record_by_alias",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("customer", None), ("customer_alias__isnull", False), ("superseded_by", None)
                        ),
                        fields=["workspace", "customer_alias", "id"],
                        name="usage_record_unmatched",
                    ),
                    models.Index(fields=["dialect", "-id"], name="usage_record_by_dialect"),
                    models.Index(
                        condition=models.Q(("source", "api"), _negated=True),
                        fields=["workspace", "source", "-id"],
                        name="usage_record_by_rare_source",
                    ),
                    models.Index(
                        condition=models.Q(("superseded_by__isnull", False)),
                        fields=["workspace", "-id"],
                        name="usage_record_newest_superseded",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "retraction")),
                        fields=["workspace", "-id"],
                        name="usage_record_newest_retraction",
                    ),
                    models.Index(
                        condition=models.Q(("customer_alias__isnull", False)),
                        fields=["workspace", "-id"],
                        name="usage_record_newest_event",
                    ),
                    models.Index(
                        condition=models.Q(("event_type__isnull", False)),
                        fields=["workspace", "event_type", "-id"],
                        name="usage_record_by_type",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("customer", None), ("customer_alias__isnull", False), ("superseded_by", None)
                        ),
                        fields=["workspace", "-id"],
                        name="usage_record_newest_unmatched",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("key__isnull", False), ("superseded_by", None)),
                        fields=("workspace", "dialect", "key"),
                        name="usage_record_key_is_unique_while_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("customer", None),
                                ("customer_alias", None),
                                ("event_type", None),
                                ("line__isnull", False),
                                ("quantity__isnull", False),
                            ),
                            models.Q(("customer_alias__isnull", False), ("event_type__isnull", False), ("line", None)),
                            _connector="OR",
                        ),
                        name="usage_record_has_one_address",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("superseded_by", None), ("superseded_by__gt", models.F("id")), _connector="OR"
                        ),
                        name="usage_record_is_superseded_by_a_later_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "entry"), ("origin", None)),
                            models.Q(("kind__in", ["correction", "retraction", "match"]), ("origin__isnull", False)),
                            _connector="OR",
                        ),
                        name="usage_record_origin_is_known_of_a_change",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("key", ""), _negated=True), name="usage_record_key_is_not_empty"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("superseded_by__isnull", False)),
                        fields=("workspace", "superseded_by"),
                        name="usage_record_supersedes_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageCount",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="billing.workspace",
                    ),
                ),
                ("record_id", models.BigIntegerField(default=0)),
                ("usages", models.BigIntegerField(default=0)),
                ("next_id", models.BigIntegerField(null=True)),
                ("beside", billing.storage.jsontext.ExactJSONField(default=list)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("next_id", None), ("next_id__gt", models.F("record_id")), _connector="OR"),
                        name="usage_count_goes_on",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Matching",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.workspace",
                    ),
                ),
                (
                    "customer",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="matchings",
                        to="billing.customer",
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                (
                    "state",
                    models.CharField(
                        choices=[("matching", "Being matched"), ("done", "Done")], default="matching", max_length=8
                    ),
                ),
                ("after_id", models.BigIntegerField()),
                ("until_id", models.BigIntegerField()),
                (
                    "found_count",
                    models.PositiveBigIntegerField(
                        blank=True, help_text="The number of events to match, counted by the job.", null=True
                    ),
                ),
                ("matched_count", models.PositiveBigIntegerField(default=0)),
                (
                    "started_by",
                    models.CharField(help_text="The actor that assigned the name to the customer.", max_length=150),
                ),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "heartbeat_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="The last heartbeat of a worker.",
                    ),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "customer", "-id"], name="usage_matching_of_customer"),
                    models.Index(
                        condition=models.Q(("state", "matching")),
                        fields=["heartbeat_at"],
                        name="usage_matching_at_work",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at", None), ("state", "matching")),
                            models.Q(("finished_at__isnull", False), ("state", "done")),
                            _connector="OR",
                        ),
                        name="usage_matching_is_finished_when_done",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until_id__gt", models.F("after_id"))),
                        name="usage_matching_is_about_events",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StoredReply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.workspace",
                    ),
                ),
                (
                    "api_key",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.apikey",
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                (
                    "fingerprint",
                    models.CharField(
                        help_text="Fingerprint of the request, which has to be equal in repeats.", max_length=64
                    ),
                ),
                ("status", models.PositiveSmallIntegerField()),
                ("headers", billing.storage.jsontext.ExactJSONField(default=dict)),
                ("body", models.TextField(blank=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "stored replies",
                "indexes": [models.Index(fields=["created_at"], name="usage_stored_reply_oldest")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "api_key", "key"), name="usage_stored_reply_key_is_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduleTurn",
            fields=[
                ("task", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("ended_at", models.DateTimeField()),
            ],
        ),
        migrations.RunPython(make_last(KEY), migrations.RunPython.noop),
        migrations.RunPython(
            on_postgresql(STATISTICS, "DROP INDEX usage_record_newest_unmatched", WAITING, RECORDED, ANALYSED),
            migrations.RunPython.noop,
        ),
    ]
