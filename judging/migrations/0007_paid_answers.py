"""What servers were paid for, so that nothing is asked twice, and how much a run may spend."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("judging", "0006_reasons_and_altered_texts")]

    operations = [
        migrations.AddField(
            model_name="judgerun",
            name="budget",
            field=models.DecimalField(
                decimal_places=2,
                help_text="US dollars at which the run pauses; null for no limit.",
                max_digits=10,
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="judgerun",
            constraint=models.CheckConstraint(
                condition=models.Q(("budget", None), ("budget__gt", 0), _connector="OR"),
                name="judge_run_budget_positive",
            ),
        ),
        migrations.CreateModel(
            name="ApiAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, null=True, unique=True)),
                (
                    "said",
                    models.JSONField(
                        help_text="Text, refusal, how it ended, the model's own name, tokens with alternatives."
                    ),
                ),
                ("prompt_tokens", models.PositiveIntegerField(null=True)),
                ("answer_tokens", models.PositiveIntegerField(null=True)),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=6, help_text="US dollars; null if not known.", max_digits=12, null=True
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "judge",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="judging.judge",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="judging.judgerun",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(models.F("judge"), models.F("created_at"), name="api_answer_by_judge")],
            },
        ),
    ]
