"""Prompt templates that people write. The database keeps what a judge is named after: no row changes or goes."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FUNCTION = """
CREATE FUNCTION judging_keep_prompt_template() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'Prompt template %@% never changes: save another version.', OLD.name, OLD.version
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM judging_judge WHERE template = OLD.name || '@' || OLD.version) THEN
        RAISE EXCEPTION 'Prompt template %@% is what a judge asks by: it stays.', OLD.name, OLD.version
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN OLD;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("judging", "0009_filter_marks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="PromptTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9._-]*\\Z",
                                "Use small letters, digits, hyphens, dots and underscores only.",
                            )
                        ],
                    ),
                ),
                ("version", models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("completion", "A text that a checkpoint continues"),
                            ("chat", "Messages for a chat model"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "answer",
                    models.CharField(
                        choices=[
                            ("json", "A JSON object"),
                            ("pandalm", "PandaLM's form: 1, 2 or Tie in the first line"),
                        ],
                        max_length=7,
                    ),
                ),
                ("prompt", models.TextField(blank=True, help_text="Of a completion: the whole text.")),
                ("system", models.TextField(blank=True, help_text="Of a chat; how to answer is added to it.")),
                ("user", models.TextField(blank=True, help_text="Of a chat: what is judged.")),
                ("about", models.CharField(help_text="What it is for.", max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("name", "version"), name="prompt_template_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1), ("name__regex", "^[a-z0-9][a-z0-9._-]*$")),
                        name="prompt_template_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("answer", "pandalm"),
                                ("kind", "completion"),
                                ("system", ""),
                                ("user", ""),
                                models.Q(("prompt", ""), _negated=True),
                            ),
                            models.Q(
                                ("answer__in", ["json", "pandalm"]),
                                ("kind", "chat"),
                                ("prompt", ""),
                                models.Q(("user", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="prompt_template_texts_of_its_kind",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION judging_keep_prompt_template()"),
        migrations.RunSQL(
            "CREATE TRIGGER keep_prompt_template BEFORE UPDATE OR DELETE ON judging_prompttemplate"
            " FOR EACH ROW EXECUTE FUNCTION judging_keep_prompt_template()",
            "DROP TRIGGER keep_prompt_template ON judging_prompttemplate",
        ),
    ]
