"""What fixed a decision: its annotator saw what others said, or a judge's verdict in an audit. Only the first is
asked about when the changes after a reveal are counted. What was fixed before this stays called a reveal.
"""

from django.db import migrations, models

ABOUT = "When its annotator saw a judge's verdict on it in an audit. From then on it does not change either."


class Migration(migrations.Migration):
    dependencies = [("annotation", "0018_labels_without_guideline")]

    operations = [
        migrations.AddField("label", "audited_at", models.DateTimeField(null=True, help_text=ABOUT)),
        migrations.AddField("controlanswer", "audited_at", models.DateTimeField(null=True, help_text="As of a label.")),
    ]
