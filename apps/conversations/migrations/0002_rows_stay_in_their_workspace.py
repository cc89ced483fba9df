from django.db import migrations

# (name, table, column, target table): each pair (workspace_id, column) must exist in the target.
KEYS = [
    ("conversations_conversation_chatbot", "conversation", "chatbot_id", "chatbots_chatbot"),
    ("conversations_turn_chatbot", "turn", "chatbot_id", "chatbots_chatbot"),
    ("conversations_turn_api_key", "turn", "api_key_id", "api_keys_apikey"),
    ("conversations_message_turn", "message", "turn_id", "conversations_turn"),
    ("conversations_turn_conversation", "turn", "conversation_id", "conversations_conversation"),
    (
        "conversations_message_conversation",
        "message",
        "conversation_id",
        "conversations_conversation",
    ),
]

BIND = "".join(
    f"""
ALTER TABLE conversations_{table} ADD CONSTRAINT {name}_same_workspace
  FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
    for name, table, column, target in KEYS
)
UNBIND = "".join(
    f"ALTER TABLE conversations_{table} DROP CONSTRAINT {name}_same_workspace;\n"
    for name, table, _, _ in KEYS
)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_first"), ("chatbots", "0001_first")]
    operations = [migrations.RunSQL(BIND, UNBIND)]
