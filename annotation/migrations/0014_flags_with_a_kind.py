"""A flag says what is wrong. Labels that were only flagged are flagged for "something else".

The old columns stay in the database for a while, with a default, so that code from before this runs on.
"""

from django.db import migrations, models

# ruff: noqa: S608 - the names of two tables.

KINDS = [
    ("broken", "Broken: a text is missing, cut or garbled"),
    ("unsafe", "Unsafe: nobody should have to read this unprepared"),
    ("expert", "Needs an expert"),
    ("guideline", "The guidelines do not tell"),
    ("other", "Something else"),
]
SURE = [(1, "A guess"), (2, "Fairly sure"), (3, "Sure")]


def flag() -> models.CharField:
    return models.CharField(blank=True, choices=KINDS, db_default="", default="", max_length=9)


def aspects() -> models.JSONField:
    return models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict)


def backfilled(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} ALTER COLUMN flagged SET DEFAULT false;
        UPDATE {table} SET flag = 'other' WHERE flagged;
        """,
        f"""
        UPDATE {table} SET flagged = flag <> '' WHERE flagged <> (flag <> '');
        ALTER TABLE {table} ALTER COLUMN flagged DROP DEFAULT;
        """,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0013_free_slots_by_rank"),
    ]

    operations = [
        migrations.AddField("label", "flag", flag()),
        migrations.AddField("labelrevision", "flag", flag()),
        migrations.AddField("labelrevision", "aspects", aspects()),
        migrations.AddField("labelrevision", "confidence", models.PositiveSmallIntegerField(choices=SURE, null=True)),
        migrations.AddField("latedecision", "flag", flag()),
        migrations.AddField("latedecision", "aspects", aspects()),
        migrations.AddField("latedecision", "confidence", models.PositiveSmallIntegerField(choices=SURE, null=True)),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("label", "flagged"),
                migrations.RemoveField("labelrevision", "flagged"),
            ],
            database_operations=[backfilled("annotation_label"), backfilled("annotation_labelrevision")],
        ),
        migrations.AddConstraint(
            "label",
            models.CheckConstraint(
                condition=models.Q(flag__in=["", "broken", "unsafe", "expert", "guideline", "other"]),
                name="label_flag_known",
            ),
        ),
    ]
