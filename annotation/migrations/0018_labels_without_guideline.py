"""Labels that were made before there were guidelines, in the order of the review list. Made while people label."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("annotation", "0017_lock_of_further_labels")]

    operations = [
        AddIndexConcurrently(
            "label",
            models.Index(models.F("pair"), condition=models.Q(("guideline", None)), name="label_without_guideline"),
        ),
    ]
