from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_own_ends_of_lines"),
    ]

    operations = [
        migrations.AddField(
            model_name="closerun",
            name="problem",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="Why it did not go on when it was last tried.",
            ),
        ),
        migrations.AddConstraint(
            model_name="closerun",
            constraint=models.CheckConstraint(
                condition=models.Q(("problem", ""), ("state__in", ["computing", "review", "issuing"]), _connector="OR"),
                name="billing_close_run_has_no_problem_once_it_is_over",
            ),
        ),
    ]
