"""Ready answers of several generators on their way into a dataset of pairs."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0019_fixed_by_an_audit"),
        ("jobs", "0003_beats_are_doubted_first"),
        ("judging", "0012_saved_filters"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tournament",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("dataset_slug", models.SlugField(help_text="Of the dataset that it makes.", max_length=80)),
                (
                    "purpose",
                    models.CharField(choices=[("test", "Test"), ("train", "Train"), ("sweep", "Sweep")], max_length=5),
                ),
                (
                    "generators",
                    models.JSONField(default=list, help_text="Names of those whose answers are in the database."),
                ),
                (
                    "found",
                    models.JSONField(
                        default=dict, help_text="What the reading found: prompts, answers a generator, problems."
                    ),
                ),
                (
                    "sample",
                    models.JSONField(
                        default=list, help_text="Texts of some pairs, by which a judge's price is estimated."
                    ),
                ),
                (
                    "design",
                    models.JSONField(default=dict, help_text="Which pairs, the seed, the judges, labels per pair."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "answered",
                    models.ForeignKey(
                        help_text="Whose prompts stored answers are to.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="annotation.dataset",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "dataset",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="tournament",
                        to="annotation.dataset",
                    ),
                ),
                (
                    "making",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="jobs.job"
                    ),
                ),
                (
                    "reading",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="jobs.job"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="TournamentFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("generator", models.CharField(blank=True, help_text="Empty for the file of prompts.", max_length=200)),
                ("file_name", models.CharField(max_length=255)),
                ("file", models.FileField(max_length=255, upload_to="tournaments/")),
                (
                    "tournament",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="files", to="judging.tournament"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddConstraint(
            model_name="tournament",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose__in", ["test", "sweep"])), name="tournament_purpose_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="tournamentfile",
            constraint=models.UniqueConstraint(
                fields=("tournament", "generator"), name="tournament_file_once_a_generator"
            ),
        ),
    ]
