"""What a label may say, an answer to a control pair may say too: on the label page nobody can tell them apart."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0014_flags_with_a_kind"),
    ]

    operations = [
        migrations.AddField(
            model_name="controlanswer",
            name="reconsideration",
            field=models.JSONField(help_text="As of a label: the choice and rationale after that.", null=True),
        ),
        migrations.AddField(
            model_name="controlanswer",
            name="remarks",
            field=models.JSONField(
                blank=True, default=dict, help_text="What else was said, by the names of Label's fields."
            ),
        ),
        migrations.AddField(
            model_name="controlanswer",
            name="revealed_at",
            field=models.DateTimeField(help_text="As of a label: from then on it does not change.", null=True),
        ),
        migrations.AddField(
            model_name="controlanswer",
            name="taken_at",
            field=models.DateTimeField(help_text="Its place among the pairs that the annotator took.", null=True),
        ),
        migrations.AddField(
            model_name="dataset",
            name="result_shows",
            field=models.CharField(
                choices=[
                    ("score", "How many were right"),
                    ("wrong", "Also which pairs were wrong"),
                    ("answers", "Also the right answers, with their explanations"),
                ],
                db_default="score",
                default="score",
                max_length=7,
            ),
        ),
        migrations.AlterField(
            model_name="controlanswer",
            name="attempt",
            field=models.PositiveSmallIntegerField(
                default=1, help_text="Of the qualification round; of a mixed-in pair, how often it was decided anew."
            ),
        ),
    ]
