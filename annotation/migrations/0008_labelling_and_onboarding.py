"""How a dataset is labelled, what its people learn first, and what goes back to them. Old code runs on: all has defaults."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0007_pair_prompt_by_its_responses"),
    ]

    operations = [
        migrations.CreateModel(
            name="Control",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "use",
                    models.CharField(
                        choices=[
                            ("practice", "Practice, with an explanation"),
                            ("qualification", "Qualification round"),
                            ("mixed", "Mixed in while people label"),
                        ],
                        max_length=13,
                    ),
                ),
                ("choice", models.PositiveSmallIntegerField(choices=[(0, "Tie"), (1, "1"), (2, "2")])),
                (
                    "explanation",
                    models.TextField(blank=True, help_text="Markdown. Shown after the answer, in practice."),
                ),
                ("active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="ControlAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempt", models.PositiveSmallIntegerField(default=1, help_text="Of the qualification round.")),
                ("choice", models.PositiveSmallIntegerField(choices=[(0, "Tie"), (1, "1"), (2, "2")])),
                ("right", models.BooleanField()),
                ("shown_swapped", models.BooleanField()),
                ("rationale", models.TextField(blank=True)),
                ("seconds", models.FloatField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fields", models.JSONField(default=dict)),
                ("saved_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="LateDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choice", models.PositiveSmallIntegerField(choices=[(0, "Tie"), (1, "1"), (2, "2")])),
                ("shown_swapped", models.BooleanField()),
                ("rationale", models.TextField(blank=True)),
                ("seconds", models.FloatField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=300)),
                ("path", models.CharField(help_text="Of the page, on this site.", max_length=300)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("read_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("labels", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Reconsideration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("choice", models.PositiveSmallIntegerField(choices=[(0, "Tie"), (1, "1"), (2, "2")])),
                ("rationale", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Rework",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason",
                    models.CharField(
                        choices=[("review", "A reviewer asks"), ("guideline", "The guidelines have changed")],
                        max_length=9,
                    ),
                ),
                ("comment", models.TextField(blank=True)),
                ("sent_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "done_at",
                    models.DateTimeField(help_text="When the annotator decided again, or kept the label.", null=True),
                ),
            ],
            options={
                "ordering": ["sent_at", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("learning", "Learning"),
                            ("qualified", "Qualified"),
                            ("failed", "Did not qualify"),
                            ("paused", "Paused"),
                            ("excluded", "Labels left out of gold"),
                        ],
                        default="learning",
                        max_length=9,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=1, help_text="Of the qualification round.")),
                ("note", models.TextField(blank=True, help_text="Why, in words for the person.")),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name="dataset",
            name="asks_confidence",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="dataset",
            name="aspects",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="What is compared one by one.",
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="claim_minutes",
            field=models.PositiveSmallIntegerField(
                db_default=30, default=30, help_text="How long a pair stays with an annotator who does nothing."
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="control_percent",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="How many of the pairs shown are control pairs."
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="labels_on_split",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="How many further labels a pair gets on which people differ."
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="least_seconds",
            field=models.FloatField(
                blank=True, help_text="Who decides faster than this again and again is told to slow down.", null=True
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="on_failing",
            field=models.CharField(
                choices=[
                    ("tell", "Tell the annotator and the reviewers"),
                    ("pause", "Pause the annotator until a reviewer lets them go on"),
                    ("exclude", "Leave the annotator's labels out of gold; none is deleted"),
                ],
                db_default="tell",
                default="tell",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="pair_order",
            field=models.CharField(
                choices=[
                    ("plain", "In the order of the file"),
                    ("fewest", "Pairs with the fewest labels first"),
                    ("uncertain", "Pairs of which a judge is least sure first"),
                ],
                db_default="plain",
                default="plain",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="pass_percent",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Of the qualification pairs, how many must be right. Empty: no qualification.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="quota",
            field=models.PositiveIntegerField(
                blank=True, help_text="Labels that one annotator may give at most.", null=True
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="rationale",
            field=models.CharField(
                choices=[("off", "Not asked for"), ("optional", "Optional"), ("required", "Required")],
                db_default="optional",
                default="optional",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="rationale_characters",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="What a rationale must have at least."
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="reveals",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="After the label is locked, show the annotator what peers and judges said.",
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="shuffled",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Each annotator meets the pairs in an order of their own."
            ),
        ),
        migrations.AddField(
            model_name="label",
            name="aspects",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="A choice, 1, 2 or 0, by aspect.",
            ),
        ),
        migrations.AddField(
            model_name="label",
            name="confidence",
            field=models.PositiveSmallIntegerField(
                choices=[(1, "A guess"), (2, "Fairly sure"), (3, "Sure")], null=True
            ),
        ),
        migrations.AddField(
            model_name="label",
            name="revealed_at",
            field=models.DateTimeField(
                help_text="When its annotator saw what others said. From then on it does not change.", null=True
            ),
        ),
        migrations.AddField(
            model_name="slot",
            name="rank",
            field=models.BigIntegerField(db_default=0, default=0, help_text="Free slots are taken from the lowest up."),
        ),
        migrations.AlterField(
            model_name="label",
            name="seconds",
            field=models.FloatField(help_text="From the page shown to the decision, without idle time.", null=True),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.CheckConstraint(
                condition=models.Q(("claim_minutes__gte", 1)), name="dataset_claim_lasts"
            ),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("pass_percent", None), ("pass_percent__lte", 100), _connector="OR"),
                    ("control_percent__lte", 50),
                ),
                name="dataset_percent_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="label",
            constraint=models.CheckConstraint(
                condition=models.Q(("confidence", None), ("confidence__in", [1, 2, 3]), _connector="OR"),
                name="label_confidence_known",
            ),
        ),
        migrations.AddField(
            model_name="control",
            name="created_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="control",
            name="pair",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="controls", to="annotation.pair"
            ),
        ),
        migrations.AddField(
            model_name="controlanswer",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="control_answers", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="controlanswer",
            name="control",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="annotation.control"
            ),
        ),
        migrations.AddField(
            model_name="draft",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="draft",
            name="pair",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotation.pair"
            ),
        ),
        migrations.AddField(
            model_name="latedecision",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="late_decisions", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="latedecision",
            name="pair",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="late_decisions", to="annotation.pair"
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="notifications", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="quota",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="quotas", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="quota",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="quotas", to="annotation.dataset"
            ),
        ),
        migrations.AddField(
            model_name="reconsideration",
            name="label",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="reconsideration", to="annotation.label"
            ),
        ),
        migrations.AddField(
            model_name="rework",
            name="label",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="reworks", to="annotation.label"
            ),
        ),
        migrations.AddField(
            model_name="rework",
            name="sent_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="annotator",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="standings", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="changed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="standing",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="standings", to="annotation.dataset"
            ),
        ),
        migrations.AddConstraint(
            model_name="control",
            constraint=models.UniqueConstraint(fields=("pair", "use"), name="control_once_a_use"),
        ),
        migrations.AddConstraint(
            model_name="control",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", [0, 1, 2])), name="control_choice_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="control",
            constraint=models.CheckConstraint(
                condition=models.Q(("use__in", ["practice", "qualification", "mixed"])), name="control_use_known"
            ),
        ),
        migrations.AddIndex(
            model_name="controlanswer",
            index=models.Index(fields=["annotator", "-created_at"], name="control_answer_latest"),
        ),
        migrations.AddConstraint(
            model_name="controlanswer",
            constraint=models.UniqueConstraint(
                fields=("control", "annotator", "attempt"), name="control_answered_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="controlanswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", [0, 1, 2])), name="control_answer_choice_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="draft",
            constraint=models.UniqueConstraint(fields=("pair", "annotator"), name="draft_once_an_annotator"),
        ),
        migrations.AddConstraint(
            model_name="latedecision",
            constraint=models.UniqueConstraint(fields=("pair", "annotator"), name="late_decision_once_an_annotator"),
        ),
        migrations.AddConstraint(
            model_name="latedecision",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", [0, 1, 2])), name="late_decision_choice_known"
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("read_at", None)), fields=["person", "-created_at"], name="notification_unread"
            ),
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.UniqueConstraint(fields=("dataset", "annotator"), name="quota_once_an_annotator"),
        ),
        migrations.AddConstraint(
            model_name="reconsideration",
            constraint=models.CheckConstraint(
                condition=models.Q(("choice__in", [0, 1, 2])), name="reconsideration_choice_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="rework",
            constraint=models.UniqueConstraint(
                condition=models.Q(("done_at", None)), fields=("label",), name="rework_one_open_a_label"
            ),
        ),
        migrations.AddConstraint(
            model_name="rework",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason__in", ["review", "guideline"])), name="rework_reason_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="standing",
            constraint=models.UniqueConstraint(fields=("dataset", "annotator"), name="standing_once_an_annotator"),
        ),
    ]
