"""Which response stands left can't be computed from the id of a pair, which the page knows.

Each database draws a key of its own; it is in the function's text, and so in every backup. What stands left in slots
that exist stays as it is.
"""

from importlib import import_module
from secrets import token_hex

from django.db import migrations

BEFORE = import_module("annotation.migrations.0012_ranks_and_further_labels").SIDE.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)


def draw(_, schema_editor):
    """The key is 32 hexadecimal digits: nothing in it needs quoting."""
    with_key = BEFORE.replace("md5(pair::text)", f"md5('{token_hex(16)}:' || pair)")
    schema_editor.execute(with_key, params=None)


def take_back(_, schema_editor):
    schema_editor.execute(BEFORE, params=None)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0021_standing_left_out")]

    operations = [migrations.RunPython(draw, take_back)]
