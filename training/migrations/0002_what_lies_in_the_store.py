"""Hashes of what lies in the store that workers share, so that what was changed there is noticed."""

from django.db import migrations, models

STORED = models.CharField(
    blank=True, db_default="", default="", help_text="Hash of its manifest in the store, if there.", max_length=64
)


class Migration(migrations.Migration):
    dependencies = [("training", "0001_snapshots_and_runs")]

    operations = [
        migrations.AddField(model_name="snapshot", name="stored", field=STORED),
        migrations.AddField(model_name="checkpoint", name="stored", field=STORED),
        migrations.AddField(
            model_name="trainingrun",
            name="stored",
            field=models.JSONField(
                help_text="The state in the store: its step, and hashes of its manifests.", null=True
            ),
        ),
    ]
