"""Labels with a flag, in the order of the review list. Made while people label."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("annotation", "0023_draft_over_a_decision")]

    operations = [
        AddIndexConcurrently(
            "label",
            models.Index(
                models.F("pair"),
                models.F("flag"),
                condition=models.Q(("flag", ""), _negated=True),
                name="label_flagged",
            ),
        ),
    ]
