"""Control pairs want no labels: their free slots go, and none are added where labels of such a pair split.

Code from before this goes on with fewer slots. Back again, it makes them when labels wanted are raised or pairs added.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("annotation.migrations.0012_ranks_and_further_labels").ASK_FURTHER.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
AFTER = BEFORE.replace(
    "     WHERE split.pair_id = ANY(pairs)\n",
    """\
     WHERE split.pair_id = ANY(pairs)
       AND NOT EXISTS (SELECT FROM annotation_control known WHERE known.pair_id = split.pair_id AND known.active)
""",
)
assert AFTER != BEFORE

TAKE_AWAY = """
DELETE FROM annotation_slot WHERE state = 'free' AND pair_id IN (SELECT pair_id FROM annotation_control WHERE active)
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0019_fixed_by_an_audit")]

    operations = [
        migrations.RunSQL(AFTER, BEFORE),
        migrations.RunSQL(TAKE_AWAY, migrations.RunSQL.noop),
    ]
