"""Indexes that let the review list find a few pairs among hundreds of thousands without reading their rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0005_indexes_for_review"),
        ("judging", "0001_judges_and_verdicts"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="verdict",
            name="verdict_once_an_order",
        ),
        migrations.AddIndex(
            model_name="verdict",
            index=models.Index(
                models.F("run"), models.F("pair"), condition=models.Q(("swapped", True)), name="verdict_swapped"
            ),
        ),
        migrations.AddIndex(
            model_name="verdict",
            index=models.Index(
                models.F("run"), models.F("pair"), condition=models.Q(("choice", None)), name="verdict_without_choice"
            ),
        ),
        migrations.AddConstraint(
            model_name="verdict",
            constraint=models.UniqueConstraint(
                fields=("run", "pair", "swapped"), include=("choice",), name="verdict_once_an_order"
            ),
        ),
    ]
