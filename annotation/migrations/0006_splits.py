"""Pairs that people label differently, kept by the database, so that the review list can begin with them.

To find them would take reading every label of a dataset. One statement-level trigger does for one label as for an
import of a million: it looks at the labels of the pairs that were touched, by their index.
"""

import django.db.models.deletion
from django.db import migrations, models

KEYS = {
    "split_of_pair": "(pair_id) REFERENCES annotation_pair (id)",
    "split_of_dataset": "(dataset_id) REFERENCES annotation_dataset (id)",
}
# Labels never move to another pair, so the new rows of an update name every pair that it touches.
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}

# The lock makes two labels of one pair that come at the same time see each other: the second waits for the first, and
# the statements behind it look again. Percent are rounded down, so below all there is no 100.
FUNCTION = """
CREATE FUNCTION annotation_keep_splits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM annotation_pair WHERE id IN (SELECT pair_id FROM touched) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO annotation_split (pair_id, dataset_id, agreement)
    SELECT pair.id, pair.dataset_id, each.agreement
      FROM (SELECT pair_id, 100 * sum(n * (n - 1)) / (sum(n) * (sum(n) - 1)) AS agreement
              FROM (SELECT pair_id, count(*)::int AS n FROM annotation_label
                     WHERE pair_id IN (SELECT pair_id FROM touched) GROUP BY pair_id, choice) AS counted
             GROUP BY pair_id HAVING count(*) > 1) AS each
      JOIN annotation_pair pair ON pair.id = each.pair_id
        ON CONFLICT (pair_id) DO UPDATE SET agreement = excluded.agreement
     WHERE annotation_split.agreement <> excluded.agreement;
    -- One more label makes nobody agree again.
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM annotation_split split
         WHERE split.pair_id IN (SELECT pair_id FROM touched)
           AND (SELECT count(DISTINCT choice) FROM annotation_label label WHERE label.pair_id = split.pair_id) < 2;
    END IF;
    RETURN NULL;
END
$$
"""
FILL = """
INSERT INTO annotation_split (pair_id, dataset_id, agreement)
SELECT pair.id, pair.dataset_id, 100 * sum(n * (n - 1)) / (sum(n) * (sum(n) - 1))
  FROM (SELECT pair_id, count(*)::int AS n FROM annotation_label GROUP BY pair_id, choice) AS counted
  JOIN annotation_pair pair ON pair.id = counted.pair_id
 GROUP BY pair.id HAVING count(*) > 1
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0005_indexes_for_review")]

    operations = [
        migrations.CreateModel(
            name="Split",
            fields=[
                (
                    "pair",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="annotation.pair",
                    ),
                ),
                (
                    "agreement",
                    models.PositiveSmallIntegerField(
                        help_text="Of the ways to take two of its labels, how many percent are two that agree."
                    ),
                ),
                (
                    "dataset",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="annotation.dataset",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("dataset"),
                        models.F("agreement"),
                        models.F("pair"),
                        name="split_lowest_agreement_first",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("agreement__lt", 100)), name="split_is_no_agreement")
                ],
            },
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE annotation_split ADD CONSTRAINT {name} FOREIGN KEY {columns} ON DELETE CASCADE",
                f"ALTER TABLE annotation_split DROP CONSTRAINT {name}",
            )
            for name, columns in KEYS.items()
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION annotation_keep_splits()"),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER keep_splits_after_{event.lower()} AFTER {event} ON annotation_label"
                f" REFERENCING {rows} TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION annotation_keep_splits()",
                f"DROP TRIGGER keep_splits_after_{event.lower()} ON annotation_label",
            )
            for event, rows in EVENTS.items()
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
