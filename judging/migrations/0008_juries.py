"""Judges that decide together."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("judging", "0007_paid_answers")]

    operations = [
        migrations.AlterField(
            model_name="judge",
            name="backend",
            field=models.CharField(
                choices=[
                    ("transformers", "Local checkpoint (transformers)"),
                    ("openai", "OpenAI-compatible server"),
                    ("imported", "Imported verdicts"),
                    ("baseline", "Baseline"),
                    ("jury", "Jury of other judges"),
                    ("fake", "Fake (deterministic, for demos and tests)"),
                ],
                max_length=12,
            ),
        ),
        migrations.RemoveConstraint(model_name="judge", name="judge_backend_known"),
        migrations.AddConstraint(
            model_name="judge",
            constraint=models.CheckConstraint(
                condition=models.Q(("backend__in", ["transformers", "openai", "imported", "baseline", "jury", "fake"])),
                name="judge_backend_known",
            ),
        ),
    ]
