"""Reasons of some verdicts only, and how the texts that a judge saw differ from the pair's own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("judging", "0005_draws_as_jobs")]

    operations = [
        migrations.AddField(
            model_name="verdict",
            name="altered",
            field=models.JSONField(help_text="How the texts that the judge saw differ from the pair's own.", null=True),
        ),
        migrations.AlterField(
            model_name="judgerun",
            name="reasons",
            field=models.CharField(
                choices=[
                    ("none", "No reasons"),
                    ("sample", "A reason with each tenth pair's verdicts"),
                    ("disagreements", "A reason where people chose otherwise or the orders contradict"),
                    ("all", "A reason with every verdict"),
                ],
                default="none",
                max_length=13,
            ),
        ),
        migrations.RemoveConstraint(model_name="judgerun", name="judge_run_reasons_known"),
        migrations.AddConstraint(
            model_name="judgerun",
            constraint=models.CheckConstraint(
                condition=models.Q(("reasons__in", ["none", "sample", "disagreements", "all"])),
                name="judge_run_reasons_known",
            ),
        ),
    ]
