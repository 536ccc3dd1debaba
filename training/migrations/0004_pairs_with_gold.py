"""How many pairs a test set had gold for when a checkpoint was examined: some are too long to ask about."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0003_answers_are_shared"),
    ]

    operations = [
        migrations.AddField(
            model_name="examination",
            name="with_gold",
            field=models.PositiveIntegerField(
                help_text="Pairs with gold then, with those too long to ask about.", null=True
            ),
        ),
    ]
