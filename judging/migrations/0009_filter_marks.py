"""Which pairs of a run the filters of distillation would leave out."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0018_labels_without_guideline"),
        ("judging", "0008_juries"),
    ]

    operations = [
        migrations.CreateModel(
            name="FilterMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("filter", models.CharField(max_length=13)),
                ("words", models.TextField(blank=True, help_text="Why, of this very pair.")),
                (
                    "pair",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotation.pair"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="marks",
                        to="judging.judgerun",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "filter", "pair"), name="filter_mark_once"),
                ],
            },
        ),
    ]
