from django.db import migrations

BIND = """
ALTER TABLE conversations_rating ADD CONSTRAINT conversations_rating_message_same_workspace
  FOREIGN KEY (workspace_id, message_id) REFERENCES conversations_message (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE conversations_rating ADD CONSTRAINT conversations_rating_conversation_same_workspace
  FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations_conversation (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
UNBIND = """
ALTER TABLE conversations_rating DROP CONSTRAINT conversations_rating_message_same_workspace;
ALTER TABLE conversations_rating DROP CONSTRAINT conversations_rating_conversation_same_workspace;
"""

# Django gives each indexed text column a second index for LIKE. Ids compare by the collation C,
# where the first one does for that; each spared index is one that no turn has to write to.
LIKES = [
    ("conversations_conversation_id_fd837ecd_like", "conversation", "id"),
    ("conversations_message_id_f49790af_like", "message", "id"),
    ("conversations_turn_id_b54f3838_like", "turn", "id"),
    ("conversations_turn_chatbot_id_ab3c14cc_like", "turn", "chatbot_id"),
    ("conversations_turn_api_key_id_b528b668_like", "turn", "api_key_id"),
    ("conversations_turn_conversation_id_5017480b_like", "turn", "conversation_id"),
]
SPARE = "".join(f"DROP INDEX {name};\n" for name, _, _ in LIKES)
KEEP = "".join(
    f"CREATE INDEX {name} ON conversations_{table} ({column} varchar_pattern_ops);\n"
    for name, table, column in LIKES
)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0010_kept_in_order")]
    operations = [migrations.RunSQL(BIND, UNBIND), migrations.RunSQL(SPARE, KEEP)]
