"""Several workers answer the prompts of a dataset together."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_beats_are_doubted_first"),
        ("training", "0002_what_lies_in_the_store"),
    ]

    operations = [
        migrations.AddField(
            model_name="checkpoint",
            name="workers",
            field=models.PositiveSmallIntegerField(
                db_default=1, default=1, help_text="How many share the answering, each on a device of its own."
            ),
        ),
        migrations.CreateModel(
            name="AnswerChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first", models.BigIntegerField()),
                ("last", models.BigIntegerField()),
                ("done", models.BooleanField(default=False, help_text="All that was to come of it is saved.")),
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
                    "checkpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="training.checkpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("checkpoint", "first"), name="answer_chunk_begins_once"),
                    models.UniqueConstraint(fields=("checkpoint", "last"), name="answer_chunk_ends_once"),
                    models.CheckConstraint(
                        condition=models.Q(("first__lte", models.F("last"))),
                        name="answer_chunk_begins_before_its_end",
                    ),
                ],
            },
        ),
    ]
