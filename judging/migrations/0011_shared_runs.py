"""Several workers at one run; questions sent as one file; and what a verdict was altered by is kept when a file replaces it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_devices_are_leased"),
        ("judging", "0010_prompt_templates"),
    ]

    operations = [
        migrations.AddField(
            model_name="judgerun",
            name="workers",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, help_text="How many share it, each on a device of its own."
            ),
        ),
        migrations.AddConstraint(
            model_name="judgerun",
            constraint=models.CheckConstraint(condition=models.Q(("workers__gte", 1)), name="judge_run_has_a_worker"),
        ),
        migrations.AddField(
            model_name="verdictrevision",
            name="altered",
            field=models.JSONField(null=True),
        ),
        migrations.CreateModel(
            name="ApiBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file", models.CharField(max_length=200)),
                ("batch", models.CharField(blank=True, max_length=200)),
                ("questions", models.PositiveIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        blank=True, help_text="As the server calls it; blank until it is read.", max_length=20
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="judging.judgerun"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "file"), name="api_batch_once_a_file"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Chunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "stage",
                    models.CharField(
                        choices=[("verdicts", "Verdicts"), ("reasons", "Reasons behind verdicts that stand")],
                        max_length=8,
                    ),
                ),
                ("first_pair", models.BigIntegerField()),
                ("last_pair", models.BigIntegerField()),
                (
                    "done",
                    models.BooleanField(default=False, help_text="All that was to come of it is saved."),
                ),
                (
                    "attempt",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="jobs.attempt",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="judging.judgerun",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(models.F("run"), condition=models.Q(("done", False)), name="chunk_open"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "stage", "first_pair"), name="chunk_begins_once"),
                    models.UniqueConstraint(fields=("run", "stage", "last_pair"), name="chunk_ends_once"),
                    models.CheckConstraint(
                        condition=models.Q(("first_pair__lte", models.F("last_pair"))),
                        name="chunk_begins_before_its_end",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("stage__in", ["verdicts", "reasons"])), name="chunk_stage_known"
                    ),
                ],
            },
        ),
    ]
