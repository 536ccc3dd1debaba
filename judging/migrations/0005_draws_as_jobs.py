"""Audits of large runs are drawn by a job."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_durable_jobs"),
        ("judging", "0004_verdict_revisions"),
    ]

    operations = [
        migrations.AddField(
            model_name="audit",
            name="asked",
            field=models.JSONField(help_text="How its labels are to be drawn, until they are.", null=True),
        ),
        migrations.AddField(
            model_name="audit",
            name="job",
            field=models.OneToOneField(
                help_text="Draws the labels.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="jobs.job",
            ),
        ),
    ]
