"""What one column cannot say: both responses of a pair answer its prompt, and no label is without its slot.

Checked at commit, so that rows of one transaction may come in any order.
"""

from django.db import migrations

KEYS = [
    (
        "pair_response_1_of_prompt",
        "annotation_pair",
        "(prompt_id, response_1_id) REFERENCES annotation_response (prompt_id, id)",
    ),
    (
        "pair_response_2_of_prompt",
        "annotation_pair",
        "(prompt_id, response_2_id) REFERENCES annotation_response (prompt_id, id)",
    ),
    (
        "label_has_slot",
        "annotation_label",
        "(pair_id, annotator_id) REFERENCES annotation_slot (pair_id, annotator_id)",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("annotation", "0002_corpus_and_labels")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY {columns} DEFERRABLE INITIALLY DEFERRED",
            f"ALTER TABLE {table} DROP CONSTRAINT {name}",
        )
        for name, table, columns in KEYS
    ]
