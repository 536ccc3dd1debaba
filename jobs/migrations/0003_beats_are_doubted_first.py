"""A beat that looks old is doubted first: when a clock jumps, all of them look old at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_devices_are_leased")]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="doubted_at",
            field=models.DateTimeField(help_text="When its last beat was first found to be long ago.", null=True),
        ),
    ]
