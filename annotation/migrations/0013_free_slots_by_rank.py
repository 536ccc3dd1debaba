"""Free slots are taken by rank. Made beside the index that it replaces, while people label."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("annotation", "0012_ranks_and_further_labels")]

    operations = [
        AddIndexConcurrently(
            model_name="slot",
            index=models.Index(
                models.F("dataset"),
                models.F("rank"),
                models.F("pair"),
                condition=models.Q(("state", "free")),
                name="slot_free_by_rank",
            ),
        ),
        RemoveIndexConcurrently(model_name="slot", name="slot_free_by_dataset"),
    ]
