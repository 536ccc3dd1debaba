"""Indexes that let the review list find a few pairs among hundreds of thousands without reading their rows."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0004_slot_latest_of_annotator"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="label",
            name="label_once_an_annotator",
        ),
        migrations.AlterField(
            model_name="response",
            name="generator",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="responses",
                to="annotation.generator",
            ),
        ),
        migrations.AddIndex(
            model_name="prompt",
            index=models.Index(
                django.db.models.functions.text.MD5("source"),
                models.F("id"),
                condition=models.Q(("source", ""), _negated=True),
                name="prompt_by_source",
            ),
        ),
        migrations.AddIndex(
            model_name="response",
            index=models.Index(
                models.F("generator"),
                models.F("prompt"),
                models.F("id"),
                condition=models.Q(("generator__isnull", False)),
                name="response_by_generator",
            ),
        ),
        migrations.AddConstraint(
            model_name="label",
            constraint=models.UniqueConstraint(
                fields=("pair", "annotator"), include=("choice",), name="label_once_an_annotator"
            ),
        ),
    ]
