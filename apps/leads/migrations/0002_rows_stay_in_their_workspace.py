from django.db import migrations

# (name, table, column, target table): each pair (workspace_id, column) must exist in the target.
KEYS = [
    ("leads_lead_chatbot", "lead", "chatbot_id", "chatbots_chatbot"),
    ("leads_lead_conversation", "lead", "conversation_id", "conversations_conversation"),
    ("leads_captured_lead", "capturedfield", "lead_id", "leads_lead"),
    ("leads_captured_message", "capturedfield", "message_id", "conversations_message"),
    ("leads_reading_turn", "reading", "turn_id", "conversations_turn"),
]

BIND = "".join(
    f"""
ALTER TABLE leads_{table} ADD CONSTRAINT {name}_same_workspace
  FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
    for name, table, column, target in KEYS
)
UNBIND = "".join(
    f"ALTER TABLE leads_{table} DROP CONSTRAINT {name}_same_workspace;\n"
    for name, table, _, _ in KEYS
)

# The code keeps metadata to 16 KiB; PostgreSQL writes the same object with more white space.
OBJECT = """
ALTER TABLE leads_lead ADD CONSTRAINT leads_metadata_is_a_bounded_object
  CHECK (jsonb_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 65536);
"""
ANYTHING = "ALTER TABLE leads_lead DROP CONSTRAINT leads_metadata_is_a_bounded_object;\n"


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0001_first"),
        ("chatbots", "0004_lead_capture"),
        ("conversations", "0005_messages_in_workspace"),
    ]
    operations = [migrations.RunSQL(BIND, UNBIND), migrations.RunSQL(OBJECT, ANYTHING)]
