"""Chunks are jobs' AbstractChunk: two fields have names that fit whatever is shared. The table stays as it is."""

from django.db import migrations, models

CONSTRAINTS = [
    models.UniqueConstraint(fields=("run", "stage", "first"), name="chunk_begins_once"),
    models.UniqueConstraint(fields=("run", "stage", "last"), name="chunk_ends_once"),
    models.CheckConstraint(condition=models.Q(("first__lte", models.F("last"))), name="chunk_begins_before_its_end"),
]
FIELDS = {"first_pair": "first", "last_pair": "last"}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_beats_are_doubted_first"),
        ("judging", "0013_tournaments"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                *(migrations.RemoveConstraint("chunk", each.name) for each in CONSTRAINTS),
                *(migrations.RenameField("chunk", old, new) for old, new in FIELDS.items()),
                *(
                    migrations.AlterField("chunk", new, models.BigIntegerField(db_column=old))
                    for old, new in FIELDS.items()
                ),
                *(migrations.AddConstraint("chunk", each) for each in CONSTRAINTS),
            ]
        )
    ]
