"""Whether somebody may label, and whether gold counts their labels, are two things: one does not end the other.

A web process of before this migration reads people who were left out as qualified until it is started anew, and so
counts their labels for that long. What it writes itself stays as it was.
"""

from django.db import migrations, models

PART = """
UPDATE annotation_standing SET left_out = true, left_out_note = note, note = '', state = 'qualified'
 WHERE state = 'excluded'
"""
# One word for both: a pause outweighs it, since who may not label still may not, and it outweighs a round that was not
# passed, which somebody whose labels are left out gets round so.
JOIN = """
UPDATE annotation_standing SET state = 'excluded', note = left_out_note WHERE left_out AND state <> 'paused'
"""
STATES = [("learning", "Learning"), ("qualified", "Qualified"), ("failed", "Did not qualify"), ("paused", "Paused")]


class Migration(migrations.Migration):
    dependencies = [("annotation", "0020_control_pairs_want_no_labels")]

    operations = [
        migrations.AddField(
            "standing",
            "left_out",
            models.BooleanField(
                default=False, db_default=False, help_text="Their labels are kept, and gold does not count them."
            ),
        ),
        migrations.AddField(
            "standing",
            "left_out_note",
            models.TextField(blank=True, default="", db_default="", help_text="Why, in words for the person."),
        ),
        migrations.AlterField(
            "standing",
            "note",
            models.TextField(blank=True, help_text="Why this state, in words for the person."),
        ),
        migrations.RunSQL(PART, JOIN),
        migrations.AlterField("standing", "state", models.CharField(choices=STATES, default="learning", max_length=9)),
    ]
