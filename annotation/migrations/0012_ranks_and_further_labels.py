"""When a dataset's order was made anew; and pairs on which people differ ask for further labels, in the database.

The side of a slot is a function now, because slots are made in two places.
"""

from importlib import import_module

from django.db import migrations, models

SIDE = """
CREATE FUNCTION annotation_side(pair bigint, number integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (get_byte(decode(md5(pair::text), 'hex'), 0) + number) % 2 = 1
$$
"""
# Out of turn, so with a rank below zero. What exists is left as it is, so asking twice is asking once.
ASK_FURTHER = """
CREATE FUNCTION annotation_ask_further(pairs bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO annotation_slot (pair_id, dataset_id, number, swapped, state, rank)
    SELECT split.pair_id, dataset.id, further, annotation_side(split.pair_id, further), 'free', -2
      FROM annotation_split split
      JOIN annotation_dataset dataset ON dataset.id = split.dataset_id
           AND dataset.labels_on_split > 0 AND dataset.labels_per_pair > 0
     CROSS JOIN generate_series(dataset.labels_per_pair + 1, dataset.labels_per_pair + dataset.labels_on_split) further
     WHERE split.pair_id = ANY(pairs)
       AND (SELECT count(*) FROM annotation_label label WHERE label.pair_id = split.pair_id) >= dataset.labels_per_pair
     ORDER BY split.pair_id, further
        ON CONFLICT DO NOTHING
$$
"""
# In the trigger of migration 0006, which holds the lock on the pair: two labels that come at once see each other. The
# lock on the dataset, for split pairs only, is shared, and waits for who is changing its setting.
BEFORE = import_module("annotation.migrations.0006_splits").FUNCTION.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
AFTER = BEFORE.replace(
    "    RETURN NULL;",
    """\
    IF TG_OP <> 'DELETE' THEN
        PERFORM FROM annotation_dataset
          WHERE id IN (SELECT dataset_id FROM annotation_split WHERE pair_id IN (SELECT pair_id FROM touched)) FOR SHARE;
        IF FOUND THEN
            PERFORM annotation_ask_further(ARRAY(SELECT pair_id FROM touched));
        END IF;
    END IF;
    RETURN NULL;""",
)
assert AFTER != BEFORE


class Migration(migrations.Migration):
    dependencies = [("annotation", "0011_labels_by_guideline")]

    operations = [
        migrations.AddField(
            model_name="dataset",
            name="ranked_at",
            field=models.DateTimeField(
                editable=False,
                help_text="When the ranks of its slots were last made anew: the order before is over.",
                null=True,
            ),
        ),
        migrations.RunSQL(SIDE, "DROP FUNCTION annotation_side(bigint, integer)"),
        migrations.RunSQL(ASK_FURTHER, "DROP FUNCTION annotation_ask_further(bigint[])"),
        migrations.RunSQL(AFTER, BEFORE),
    ]
