from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("credits", "0004_add_entry_approvals")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="running_turns",
            field=models.PositiveIntegerField(db_default=0, editable=False),
        ),
    ]
