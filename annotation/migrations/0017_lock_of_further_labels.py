"""Labels of split pairs lock their dataset only against those who make further slots, not against every change of it.

An import changes the dataset and labels pairs in one transaction: with the lock from before it could wait for somebody
who waits for it.
"""

from importlib import import_module

from django.db import migrations

BEFORE = import_module("annotation.migrations.0012_ranks_and_further_labels").AFTER
AFTER = BEFORE.replace("FOR SHARE;", "FOR KEY SHARE;")


class Migration(migrations.Migration):
    dependencies = [("annotation", "0016_rework_of_annotator")]

    operations = [migrations.RunSQL(AFTER, BEFORE)]
