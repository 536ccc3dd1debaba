"""A pair's prompt is checked by way of its responses, twice; a third check for each row stored says nothing new.

Old code never notices, and going back adds the constraint again.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_splits")]

    operations = [
        migrations.AlterField(
            model_name="pair",
            name="prompt",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pairs",
                to="annotation.prompt",
            ),
        ),
    ]
