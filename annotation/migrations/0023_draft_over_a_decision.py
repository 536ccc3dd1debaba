"""What a draft was written over, so that one that comes after the next decision is known to be of before it."""

from django.db import migrations, models

ABOUT = "Of the decision that stood when this was written; null: none. A later one overtakes it."


class Migration(migrations.Migration):
    dependencies = [("annotation", "0022_side_with_a_secret")]

    operations = [migrations.AddField("draft", "decided_at", models.DateTimeField(null=True, help_text=ABOUT))]
