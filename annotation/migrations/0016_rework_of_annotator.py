import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Checked at once, because a table with checks still to come cannot be altered.
FILL = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE annotation_rework AS rework SET annotator_id = label.annotator_id, dataset_id = pair.dataset_id
  FROM annotation_label AS label JOIN annotation_pair AS pair ON pair.id = label.pair_id
 WHERE label.id = rework.label_id
"""


def annotator(**fields):
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
        **fields,
    )


def dataset(**fields):
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="annotation.dataset",
        **fields,
    )


class Migration(migrations.Migration):
    dependencies = [("annotation", "0015_control_answers_like_labels")]

    operations = [
        migrations.AddField("rework", "annotator", annotator(null=True)),
        migrations.AddField("rework", "dataset", dataset(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("rework", "annotator", annotator()),
        migrations.AlterField("rework", "dataset", dataset()),
        migrations.AddIndex(
            "rework",
            models.Index(
                models.F("annotator"),
                models.F("dataset"),
                models.F("sent_at"),
                models.F("id"),
                condition=models.Q(("done_at", None)),
                name="rework_waiting",
            ),
        ),
        migrations.AddIndex(
            "rework",
            models.Index(
                models.F("annotator"),
                models.F("dataset"),
                models.OrderBy(models.F("done_at"), descending=True),
                name="rework_done_of_annotator",
            ),
        ),
        migrations.AddIndex(
            "rework",
            models.Index(
                models.F("dataset"),
                models.OrderBy(models.F("sent_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="rework_latest",
            ),
        ),
    ]
