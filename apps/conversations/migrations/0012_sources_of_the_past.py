from django.db import migrations, models

FILL = """
UPDATE conversations_conversation AS conversation
SET source = left(btrim(first.metadata ->> 'source'), 60)
FROM (
  SELECT DISTINCT ON (conversation_id) conversation_id, metadata FROM conversations_message
  ORDER BY conversation_id, created_at, id
) AS first
WHERE first.conversation_id = conversation.id
  AND jsonb_typeof(first.metadata -> 'source') = 'string'
  AND btrim(first.metadata ->> 'source') <> ''
  AND first.metadata ->> 'source' !~ '[[:cntrl:]]';
"""
FORGET = "UPDATE conversations_conversation SET source = 'api' WHERE source <> 'api';\n"


class Migration(migrations.Migration):
    dependencies = [("conversations", "0011_ratings_bound_indexes_spared")]
    operations = [
        migrations.RunSQL(FILL, FORGET),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(
                    ("deleted_at__isnull", True), models.Q(("source", "api"), _negated=True)
                ),
                fields=["workspace", "source", "-last_message_at", "-id"],
                name="conversations_of_source",
            ),
        ),
    ]
