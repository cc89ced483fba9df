from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    # By itself: the scan must not hold the lock of the statements before it.
    dependencies = [("conversations", "0003_add_knowledge")]

    operations = [
        ValidateConstraint(model_name="turn", name="conversations_turn_knowledge_known"),
    ]
