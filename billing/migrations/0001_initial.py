import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import billing.aggregations
import billing.models.parties
import billing.storage.exact
import billing.storage.jsontext
import billing.tenancy.keys
from billing.storage.postgresql.deferred import on_postgresql

# A subscription is in one workspace: without this, the planner multiplies the shares of both, expects next to no lines
# of many subscriptions, and reads their bricks once for each line.
STATISTICS = """
CREATE STATISTICS billing_line_of_subscription (dependencies) ON workspace_id, subscription_id FROM billing_line
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Workspace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.CharField(
                        help_text="The id that clients send for the workspace or account, such as acc_01H8XYZ.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9_.-]*\\Z", "Letters, digits, '_', '.' and '-' only."
                            )
                        ],
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "Live"), ("test", "Test")], default="live", editable=False, max_length=4
                    ),
                ),
                (
                    "live",
                    models.OneToOneField(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="twin",
                        to="billing.workspace",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "time_zone",
                    models.CharField(
                        help_text="Periods begin and end at midnight here. Fixed once there are subscriptions.",
                        max_length=64,
                        validators=[billing.models.parties.validate_time_zone],
                    ),
                ),
                (
                    "currency",
                    models.CharField(
                        help_text="ISO 4217, such as USD.",
                        max_length=3,
                        validators=[billing.models.parties.validate_currency],
                    ),
                ),
                (
                    "closing",
                    models.CharField(
                        choices=[
                            ("manual", "Manually"),
                            ("drafts", "Automatically, with review"),
                            ("issue", "Automatically, without review"),
                        ],
                        default="manual",
                        help_text="How periods that have ended are closed.",
                        max_length=6,
                    ),
                ),
                (
                    "closing_delay_hours",
                    models.PositiveSmallIntegerField(
                        default=1, help_text="How long automatic closing waits for the last usage of an ended period."
                    ),
                ),
                (
                    "number_format",
                    models.CharField(
                        choices=[("point", "1,234.5"), ("comma", "1.234,5"), ("space", "1 234,5")],
                        db_default="point",
                        default="point",
                        help_text="Format of numbers in input and output. Numbers in other formats are refused.",
                        max_length=5,
                    ),
                ),
                (
                    "day_format",
                    models.CharField(
                        choices=[
                            ("iso", "2026-11-30"),
                            ("dd.mm.yyyy", "30.11.2026"),
                            ("dd/mm/yyyy", "30/11/2026"),
                            ("mm/dd/yyyy", "11/30/2026"),
                        ],
                        db_default="iso",
                        default="iso",
                        help_text="Format of days in input; 2026-11-30 is always accepted.",
                        max_length=10,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("code", "mode"), name="billing_workspace_code_is_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("live", None), ("mode", "live")),
                            models.Q(("live__isnull", False), ("mode", "test")),
                            _connector="OR",
                        ),
                        name="billing_workspace_is_live_or_a_twin",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="billing.workspace",
                    ),
                ),
                ("name", models.CharField(help_text="The service that uses it.", max_length=100)),
                ("prefix", models.CharField(editable=False, max_length=16)),
                ("digest", models.CharField(editable=False, max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("created_by", models.CharField(blank=True, editable=False, max_length=150)),
                (
                    "requests_per_minute",
                    models.PositiveIntegerField(
                        blank=True, help_text="Further requests are refused with 429. Empty: no limit.", null=True
                    ),
                ),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "constraints": [
                    models.UniqueConstraint(fields=("digest",), name="billing_api_key_digest_is_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("requests_per_minute", None), ("requests_per_minute__gt", 0), _connector="OR"
                        ),
                        name="billing_api_key_rate_is_positive",
                        violation_error_message="Requests per minute must be above zero, or empty for no limit.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKeyUse",
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
                        related_name="uses",
                        to="billing.apikey",
                    ),
                ),
                ("last_used_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "api_key"), name="billing_api_key_has_one_use")
                ],
            },
        ),
        migrations.CreateModel(
            name="AllowedOrigin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="allowed_origins",
                        to="billing.workspace",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        max_length=255,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^https?://[a-z0-9.-]+(:[0-9]{1,5})?\\Z",
                                "Such as https://app.example.com, without a path.",
                            )
                        ],
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["origin"], name="billing_allowed_origin_by_name")],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "origin"), name="billing_allowed_origin_is_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customers",
                        to="billing.workspace",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Its id in another system.", max_length=100, null=True),
                ),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("address", models.TextField(blank=True, max_length=1000)),
                ("events_open_from_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "name"], name="billing_customer_by_name")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "reference"), name="billing_customer_reference_is_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reference", ""), _negated=True),
                        name="billing_customer_reference_is_not_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomerAlias",
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
                        on_delete=django.db.models.deletion.CASCADE, related_name="aliases", to="billing.customer"
                    ),
                ),
                ("value", models.CharField(max_length=255)),
                ("label", models.CharField(blank=True, max_length=255)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "verbose_name_plural": "customer aliases",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "value"), name="billing_customer_alias_is_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("value", ""), _negated=True), name="billing_customer_alias_is_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Brick",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bricks",
                        to="billing.workspace",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Its id in another system.", max_length=100, null=True),
                ),
                (
                    "aggregation",
                    models.CharField(
                        choices=billing.aggregations.brick_choices,
                        default="sum",
                        help_text="How a period's records become one quantity. Fixed once a subscription has a line of the brick.",
                        max_length=16,
                    ),
                ),
                ("unit_label", models.CharField(default="units", help_text="On invoices: “30 units”.", max_length=40)),
                ("description", models.TextField(blank=True, max_length=1000)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "archived_at",
                    models.DateTimeField(
                        blank=True, editable=False, help_text="Since then no lines of it can be added.", null=True
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "name"], name="billing_brick_by_name")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "reference"), name="billing_brick_reference_is_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reference", ""), _negated=True),
                        name="billing_brick_reference_is_not_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EventRule",
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
                    "brick",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="event_rules", to="billing.brick"
                    ),
                ),
                ("event_type", models.CharField(max_length=255)),
                (
                    "aggregation",
                    models.CharField(choices=billing.aggregations.rule_choices, max_length=16),
                ),
                (
                    "property",
                    models.CharField(
                        blank=True, help_text="The property that is added or counted distinctly.", max_length=255
                    ),
                ),
                (
                    "filters",
                    billing.storage.jsontext.ExactJSONField(
                        blank=True,
                        default=dict,
                        help_text="Property -> its matching values; every filter has to match.",
                    ),
                ),
                (
                    "negated",
                    billing.storage.jsontext.ExactJSONField(
                        blank=True, default=list, help_text="The properties whose values must not match."
                    ),
                ),
                (
                    "is_case_sensitive",
                    models.BooleanField(default=True, help_text="Whether filters are case-sensitive."),
                ),
                (
                    "folded_filters",
                    billing.storage.jsontext.ExactJSONField(
                        blank=True,
                        editable=False,
                        help_text="The case-folded filters, if filters ignore case.",
                        null=True,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("replaced_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "event_type"], name="billing_event_rule_by_type")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("replaced_at", None)),
                        fields=("workspace", "brick"),
                        name="billing_brick_has_one_event_rule",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("aggregation", "count"), models.Q(("property", ""), _negated=True), _connector="OR"
                        ),
                        name="billing_event_rule_names_what_it_adds",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("event_type", ""), _negated=True), name="billing_event_rule_names_its_event"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("folded_filters__isnull", True), ("is_case_sensitive", True)),
                            models.Q(("folded_filters__isnull", False), ("is_case_sensitive", False)),
                            _connector="OR",
                        ),
                        name="billing_event_rule_is_folded_where_case_is_ignored",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="billing.workspace",
                    ),
                ),
                (
                    "brick",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="prices", to="billing.brick"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "model",
                    models.CharField(
                        choices=[
                            ("flat", "Flat: the price, whatever the quantity"),
                            ("per_unit", "Per unit"),
                            ("graduated", "Graduated: each tier's units at its price"),
                            ("volume", "Volume: all units at the price of the tier reached"),
                        ],
                        default="per_unit",
                        max_length=16,
                    ),
                ),
                ("currency", models.CharField(max_length=3, validators=[billing.models.parties.validate_currency])),
                (
                    "unit_price",
                    billing.storage.exact.ExactDecimalField(
                        decimal_places=12,
                        default=0,
                        help_text="Flat: the price of a period. Per unit: the price of one unit. Tiered: leave at 0.",
                        max_digits=27,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "brick"], name="billing_price_by_brick")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("unit_price__gte", 0)), name="billing_price_is_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("model__in", ["flat", "per_unit"]), ("unit_price", 0), _connector="OR"),
                        name="billing_tiered_price_has_no_unit_price",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceTier",
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
                    "price",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tiers", to="billing.price"
                    ),
                ),
                (
                    "up_to",
                    billing.storage.exact.ExactDecimalField(
                        blank=True,
                        decimal_places=9,
                        help_text="The last unit of the tier, inclusive. Empty: the open last tier.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                ("unit_price", billing.storage.exact.ExactDecimalField(decimal_places=12, default=0, max_digits=27)),
                (
                    "fee",
                    billing.storage.exact.ExactDecimalField(
                        decimal_places=12, default=0, help_text="Once, when entered.", max_digits=27
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "price", "up_to"), name="billing_price_tier_bound_is_unique"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("up_to", None)),
                        fields=("workspace", "price"),
                        name="billing_price_has_one_open_tier",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("up_to", None), ("up_to__gt", 0), _connector="OR"),
                        name="billing_price_tier_bound_is_positive",
                        violation_error_message="The upper bound of a tier must be above zero.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("fee__gte", 0), ("unit_price__gte", 0)),
                        name="billing_price_tier_is_not_negative",
                        violation_error_message="A tier's price and fee can't be negative.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="billing.workspace",
                    ),
                ),
                (
                    "customer",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="subscriptions", to="billing.customer"
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Its id in another system.", max_length=100, null=True),
                ),
                ("currency", models.CharField(max_length=3, validators=[billing.models.parties.validate_currency])),
                (
                    "interval",
                    models.CharField(
                        choices=[("monthly", "Monthly"), ("quarterly", "Quarterly"), ("yearly", "Yearly")],
                        default="monthly",
                        max_length=9,
                    ),
                ),
                (
                    "anchor_on",
                    models.DateField(
                        help_text="Periods are counted from this day; the 31st means the last day of shorter months."
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, help_text="The first moment no longer covered.", null=True),
                ),
                ("open_from_at", models.DateTimeField(editable=False)),
                ("next_close_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "next_close_at"], name="billing_subscription_due"),
                    models.Index(fields=["workspace", "-created_at"], name="billing_subscription_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "reference"), name="billing_subscription_reference_is_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reference", ""), _negated=True),
                        name="billing_subscription_reference_is_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at", None), ("ends_at__gte", models.F("starts_at")), _connector="OR"),
                        name="billing_subscription_does_not_end_before_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("open_from_at__gte", models.F("starts_at")),
                            models.Q(
                                ("next_close_at", None),
                                ("next_close_at__gt", models.F("open_from_at")),
                                _connector="OR",
                            ),
                        ),
                        name="billing_subscription_pointers_are_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="billing.workspace",
                    ),
                ),
                (
                    "subscription",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.subscription"
                    ),
                ),
                ("number", models.BigIntegerField(help_text="By which clients identify it. Unique in the workspace.")),
                (
                    "brick",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.brick"
                    ),
                ),
                (
                    "price",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="billing.price"
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, help_text="Its id in another system.", max_length=100, null=True),
                ),
                ("starts_at", models.DateTimeField()),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, help_text="The first moment no longer covered.", null=True),
                ),
                (
                    "own_ends_at",
                    models.DateTimeField(editable=False, help_text="Empty: it ends with its subscription.", null=True),
                ),
                (
                    "carries_on",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Opens with the last value of the previous line, not at 0.",
                    ),
                ),
                ("open_from_at", models.DateTimeField(editable=False)),
                ("cutoff", models.BigIntegerField(db_default=0, default=0, editable=False)),
                (
                    "soft_limit_quantity",
                    billing.storage.exact.ExactDecimalField(blank=True, decimal_places=9, max_digits=24, null=True),
                ),
                (
                    "soft_limit_amount",
                    billing.storage.exact.ExactDecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
                ),
                (
                    "hard_limit_quantity",
                    billing.storage.exact.ExactDecimalField(blank=True, decimal_places=9, max_digits=24, null=True),
                ),
                (
                    "hard_limit_amount",
                    billing.storage.exact.ExactDecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "number"), name="billing_line_number_is_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1), ("number__lte", 9007199254740991)),
                        name="billing_line_number_is_in_range",
                    ),
                    models.UniqueConstraint(fields=("workspace", "reference"), name="billing_line_reference_is_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("reference", ""), _negated=True), name="billing_line_reference_is_not_empty"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ends_at", None), ("ends_at__gt", models.F("starts_at")), _connector="OR"),
                        fields=("workspace", "subscription", "brick", "starts_at"),
                        name="billing_line_start_is_unique",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ends_at", None)),
                        fields=("workspace", "subscription", "brick"),
                        name="billing_brick_has_one_open_line",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at", None), ("ends_at__gte", models.F("starts_at")), _connector="OR"),
                        name="billing_line_does_not_end_before_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("own_ends_at", None),
                            models.Q(("ends_at__isnull", False), ("ends_at__lte", models.F("own_ends_at"))),
                            _connector="OR",
                        ),
                        name="billing_line_does_not_end_after_its_own_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cutoff__gte", 0)), name="billing_line_cutoff_is_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("soft_limit_quantity", None), ("soft_limit_amount", None), _connector="OR"),
                        name="billing_line_soft_limit_is_a_quantity_or_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("hard_limit_quantity", None), ("hard_limit_amount", None), _connector="OR"),
                        name="billing_line_hard_limit_is_a_quantity_or_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("soft_limit_quantity", None), ("soft_limit_quantity__gt", 0), _connector="OR"
                        ),
                        name="billing_line_soft_limit_quantity_is_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("soft_limit_amount", None), ("soft_limit_amount__gt", 0), _connector="OR"),
                        name="billing_line_soft_limit_amount_is_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("hard_limit_quantity", None), ("hard_limit_quantity__gt", 0), _connector="OR"
                        ),
                        name="billing_line_hard_limit_quantity_is_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("hard_limit_amount", None), ("hard_limit_amount__gt", 0), _connector="OR"),
                        name="billing_line_hard_limit_amount_is_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Change",
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
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "Person"),
                            ("key", "API key"),
                            ("command", "Command"),
                            ("schedule", "Schedule"),
                        ],
                        max_length=8,
                    ),
                ),
                ("actor_id", models.BigIntegerField(null=True)),
                ("actor_name", models.CharField(max_length=200)),
                ("via", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=20)),
                ("subject_id", models.CharField(max_length=36)),
                ("part", models.CharField(blank=True, max_length=300)),
                ("action", models.CharField(max_length=20)),
                ("values", billing.storage.jsontext.ExactJSONField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "subject", "subject_id", "id"], name="billing_change_by_subject")
                ],
            },
        ),
        migrations.CreateModel(
            name="CloseRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="close_runs",
                        to="billing.workspace",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("computing", "Computing drafts"),
                            ("review", "Drafts to review"),
                            ("issuing", "Issuing"),
                            ("issued", "Issued"),
                            ("discarded", "Discarded"),
                        ],
                        default="computing",
                        max_length=9,
                    ),
                ),
                ("until_at", models.DateTimeField(help_text="Periods that end by this moment are closed.")),
                (
                    "issues_itself",
                    models.BooleanField(default=False, help_text="Issues its drafts without review."),
                ),
                ("started_by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField(help_text="The last heartbeat of a worker.")),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("decided_by", models.CharField(blank=True, help_text="Who issued or discarded it.", max_length=150)),
                (
                    "problem",
                    models.TextField(
                        blank=True, db_default="", default="", help_text="The error of the last attempt to continue."
                    ),
                ),
            ],
            options={
                "verbose_name": "close run",
                "indexes": [
                    models.Index(fields=["workspace", "-started_at"], name="billing_close_run_newest"),
                    models.Index(
                        condition=models.Q(
                            ("state__in", ["computing", "issuing"]),
                            models.Q(("issues_itself", True), ("state", "review")),
                            _connector="OR",
                        ),
                        fields=["heartbeat_at"],
                        name="billing_close_run_at_work",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("problem", ""), ("state__in", ["computing", "review", "issuing"]), _connector="OR"
                        ),
                        name="billing_close_run_has_no_problem_once_it_is_over",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CloseItem",
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
                    "run",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="billing.closerun",
                    ),
                ),
                (
                    "subscription",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="close_items",
                        to="billing.subscription",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending"), ("done", "Done"), ("parked", "Parked")],
                        default="pending",
                        max_length=7,
                    ),
                ),
                ("reason", models.TextField(blank=True, help_text="Why it was parked.")),
                (
                    "is_passing",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Parked for a temporary reason: an automatic run retries it.",
                    ),
                ),
                (
                    "notices",
                    billing.storage.jsontext.ExactJSONField(
                        db_default=[],
                        default=list,
                        help_text="Notices for a reviewer that are on no invoice.",
                    ),
                ),
                ("holds_subscription", models.BooleanField(default=True, editable=False)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "run", "state", "id"], name="billing_close_item_by_state")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("holds_subscription", True)),
                        fields=("workspace", "subscription"),
                        name="billing_close_item_holds_its_subscription_alone",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("holds_subscription", True), ("state", "pending")),
                            ("state", "done"),
                            models.Q(("holds_subscription", False), ("state", "parked")),
                            _connector="OR",
                        ),
                        name="billing_close_item_holds_while_pending_not_when_parked",
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "run", "subscription"), name="billing_close_item_is_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "parked"), models.Q(("reason", ""), _negated=True)),
                            models.Q(models.Q(("state", "parked"), _negated=True), ("reason", "")),
                            _connector="OR",
                        ),
                        name="billing_close_item_is_parked_with_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingPeriod",
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
                    "subscription",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="billing.subscription",
                    ),
                ),
                (
                    "run",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="billing.closerun"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "subscription", "ends_at"], name="billing_period_by_end")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "subscription", "starts_at"),
                        name="billing_period_of_a_subscription_is_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_period_ends_after_its_start",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    billing.tenancy.keys.WorkspaceKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.workspace",
                    ),
                ),
                (
                    "customer",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="billing.customer"
                    ),
                ),
                (
                    "subscription",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoices", to="billing.subscription"
                    ),
                ),
                (
                    "period",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.billingperiod",
                    ),
                ),
                (
                    "run",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.closerun",
                    ),
                ),
                (
                    "state",
                    models.CharField(choices=[("draft", "Draft"), ("issued", "Issued")], default="draft", max_length=6),
                ),
                (
                    "kind",
                    models.CharField(choices=[("invoice", "Invoice"), ("credit_note", "Credit note")], max_length=11),
                ),
                ("sequence", models.PositiveBigIntegerField(blank=True, null=True)),
                ("number", models.CharField(blank=True, max_length=40, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("total", billing.storage.exact.ExactDecimalField(decimal_places=4, max_digits=24)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("cutoff", models.BigIntegerField(help_text="The highest ledger id that this invoice includes.")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("issued_at", models.DateTimeField(blank=True, null=True)),
                ("document", models.TextField(blank=True, help_text="The issued document, as canonical JSON.")),
                ("document_sha256", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["workspace", "run", "state", "id"], name="billing_invoice_by_run"),
                    models.Index(fields=["workspace", "-created_at"], name="billing_invoice_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "number"), name="billing_invoice_number_is_unique"),
                    models.UniqueConstraint(fields=("workspace", "period"), name="billing_period_has_one_invoice"),
                    models.UniqueConstraint(
                        fields=("workspace", "kind", "sequence"), name="billing_invoice_sequence_is_unique"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("period", None)),
                        fields=("workspace", "subscription", "cutoff"),
                        name="billing_differences_are_billed_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("document", ""),
                                ("issued_at", None),
                                ("number", None),
                                ("sequence", None),
                                ("state", "draft"),
                            ),
                            models.Q(
                                ("issued_at__isnull", False),
                                ("number__isnull", False),
                                ("sequence__isnull", False),
                                ("state", "issued"),
                                models.Q(("document", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="billing_invoice_has_a_number_when_issued",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "invoice"), ("total__gte", 0)),
                            models.Q(("kind", "credit_note"), ("total__lt", 0)),
                            _connector="OR",
                        ),
                        name="billing_negative_total_is_a_credit_note",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_invoice_ends_after_its_start",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="InvoiceLine",
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
                    "invoice",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="billing.invoice",
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                (
                    "line",
                    billing.tenancy.keys.TenantKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoice_lines",
                        to="billing.line",
                    ),
                ),
                (
                    "price",
                    billing.tenancy.keys.TenantKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="invoice_lines", to="billing.price"
                    ),
                ),
                (
                    "rule",
                    billing.tenancy.keys.TenantKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoice_lines",
                        to="billing.eventrule",
                    ),
                ),
                ("kind", models.CharField(choices=[("usage", "Usage"), ("true_up", "True-up")], max_length=7)),
                ("description", models.CharField(max_length=300)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("days", models.PositiveIntegerField()),
                ("of_days", models.PositiveIntegerField()),
                ("cutoff", models.BigIntegerField()),
                ("quantity", billing.storage.exact.ExactDecimalField(decimal_places=9, max_digits=30)),
                ("record_count", models.PositiveBigIntegerField()),
                ("unread_count", models.PositiveBigIntegerField(default=0)),
                ("missing_count", models.PositiveBigIntegerField(default=0)),
                (
                    "unread_sample",
                    billing.storage.jsontext.ExactJSONField(
                        default=list, help_text="The first and the last of them: record id and value."
                    ),
                ),
                (
                    "filter_gaps",
                    billing.storage.jsontext.ExactJSONField(
                        default=dict,
                        help_text="Per property that the rule filters by: the number of events if none of them has it, else 0.",
                    ),
                ),
                (
                    "rated",
                    billing.storage.exact.ExactDecimalField(
                        decimal_places=4, help_text="The price of the whole quantity.", max_digits=24
                    ),
                ),
                (
                    "billed_before",
                    billing.storage.exact.ExactDecimalField(
                        decimal_places=4, help_text="Billed on earlier invoices.", max_digits=24
                    ),
                ),
                (
                    "amount",
                    billing.storage.exact.ExactDecimalField(
                        decimal_places=4, help_text="rated - billed_before", max_digits=24
                    ),
                ),
                ("steps", billing.storage.jsontext.ExactJSONField(help_text="The calculation, step by step.")),
                (
                    "surprise",
                    models.CharField(
                        blank=True, help_text="The notice of rating; part of the document.", max_length=200
                    ),
                ),
                (
                    "surprises",
                    billing.storage.jsontext.ExactJSONField(
                        default=list, help_text="All notices for a reviewer, as of the draft."
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "line", "starts_at"], name="billing_invoiced_line")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "invoice", "position"), name="billing_invoice_line_position_is_unique"
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "line", "starts_at", "cutoff"),
                        name="billing_usage_is_billed_once_per_cutoff",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "usage")),
                        fields=("workspace", "line", "starts_at"),
                        name="billing_usage_of_a_period_is_billed_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="billing_invoice_line_ends_after_its_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("days__gte", 0), ("days__lte", models.F("of_days")), ("of_days__gt", 0)),
                        name="billing_invoice_line_days_are_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NumberSeries",
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
                    "kind",
                    models.CharField(
                        choices=[("invoice", "Invoice"), ("credit_note", "Credit note"), ("line", "Line")],
                        max_length=11,
                    ),
                ),
                ("next_sequence", models.PositiveBigIntegerField(default=1)),
            ],
            options={
                "verbose_name_plural": "number series",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "kind"), name="billing_number_series_is_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Name",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("customer", "Customer: by its id, its reference or an alias"),
                            ("line", "Line: by its number or reference, or by the id or reference of its subscription"),
                            ("brick", "Brick: by its id or reference"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "text",
                    models.CharField(help_text="Case-sensitive; a UUID is stored in lower case.", max_length=255),
                ),
                (
                    "owner",
                    models.CharField(
                        help_text="The id of a customer, subscription or brick, or the line.", max_length=36
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "kind", "text"), name="billing_name_names_one_thing"),
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True), name="billing_name_is_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SentForm",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("digest", models.CharField(blank=True, default="", max_length=64)),
                ("url", models.TextField(blank=True)),
                ("sent_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["sent_at"], name="billing_sent_form_by_age")],
            },
        ),
        migrations.CreateModel(
            name="LoginTally",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("tries", models.PositiveIntegerField()),
                ("since_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["since_at"], name="billing_login_tally_by_age")],
            },
        ),
        migrations.CreateModel(
            name="ShownWorkspace",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "shown",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="billing.workspace"
                    ),
                ),
            ],
        ),
        migrations.RunPython(on_postgresql(STATISTICS), migrations.RunPython.noop),
    ]
