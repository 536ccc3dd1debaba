"""What verdicts said before a file replaced them."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("judging", "0003_audits"),
    ]

    operations = [
        migrations.CreateModel(
            name="VerdictRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choice", models.PositiveSmallIntegerField(choices=[(0, "Tie"), (1, "1"), (2, "2")], null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ok", "OK"),
                            ("invalid", "Invalid"),
                            ("refused", "Refused"),
                            ("too_long", "Too long"),
                            ("failed", "Failed"),
                        ],
                        max_length=8,
                    ),
                ),
                ("p_1", models.FloatField(null=True)),
                ("p_2", models.FloatField(null=True)),
                ("p_tie", models.FloatField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("reference", models.TextField(blank=True)),
                ("raw", models.TextField(blank=True)),
                ("prompt_tokens", models.PositiveIntegerField(null=True)),
                ("answer_tokens", models.PositiveIntegerField(null=True)),
                ("seconds", models.FloatField(null=True)),
                ("cost", models.DecimalField(decimal_places=6, max_digits=12, null=True)),
                ("decided_at", models.DateTimeField(help_text="When this earlier verdict was given.")),
                ("replaced_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "verdict",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="revisions", to="judging.verdict"
                    ),
                ),
            ],
            options={
                "ordering": ["-replaced_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("choice__isnull", False), ("status", "ok")),
                            models.Q(models.Q(("status", "ok"), _negated=True), ("choice", None)),
                            _connector="OR",
                        ),
                        name="verdict_revision_ok_iff_choice",
                    )
                ],
            },
        ),
    ]
