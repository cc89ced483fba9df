from django.db import migrations, models

from apps.infrastructure.postgres.online_index import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False  # the indexes are built while turns are written

    dependencies = [("conversations", "0004_add_question_review")]

    operations = [
        AddIndexOnline(
            model_name="turn",
            index=models.Index(
                condition=models.Q(("knowledge", "nothing_found")),
                fields=["workspace", "-created_at"],
                name="conversations_turn_no_passage",
            ),
        ),
        AddIndexOnline(
            model_name="rating",
            index=models.Index(
                condition=models.Q(("value", "down")),
                fields=["workspace", "-created_at"],
                name="conversations_rated_down",
            ),
        ),
    ]
