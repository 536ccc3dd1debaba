"""What a draft was written over, so that one that comes after the next decision is known to be of before it.

Drafts that are there were written over the decision that stands: what was older went when that was made.
"""

from django.db import migrations, models

ABOUT = "Of the decision that stood when this was written; null: none. A later one overtakes it."
OVER_LABELS = """
UPDATE annotation_draft AS draft SET decided_at = label.changed_at FROM annotation_label AS label
 WHERE label.pair_id = draft.pair_id AND label.annotator_id = draft.annotator_id
"""
OVER_ANSWERS = """
UPDATE annotation_draft AS draft SET decided_at = answer.created_at
  FROM (SELECT DISTINCT ON (control.pair_id, given.annotator_id) control.pair_id, given.annotator_id, given.created_at
          FROM annotation_controlanswer AS given JOIN annotation_control AS control ON control.id = given.control_id
         WHERE control.use = 'mixed'
         ORDER BY control.pair_id, given.annotator_id, given.attempt DESC) AS answer
 WHERE answer.pair_id = draft.pair_id AND answer.annotator_id = draft.annotator_id AND draft.decided_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0022_side_with_a_secret")]

    operations = [
        migrations.AddField("draft", "decided_at", models.DateTimeField(null=True, help_text=ABOUT)),
        migrations.RunSQL(OVER_LABELS, migrations.RunSQL.noop),
        migrations.RunSQL(OVER_ANSWERS, migrations.RunSQL.noop),
    ]
