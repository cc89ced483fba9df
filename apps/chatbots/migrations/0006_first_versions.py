from django.db import migrations

BIND = """
ALTER TABLE chatbots_chatbotversion ADD CONSTRAINT chatbots_version_chatbot_same_workspace
  FOREIGN KEY (workspace_id, chatbot_id) REFERENCES chatbots_chatbot (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
UNBIND = """
ALTER TABLE chatbots_chatbotversion DROP CONSTRAINT chatbots_version_chatbot_same_workspace;
"""

SETTINGS = (
    "name",
    "language_model_id",
    "system_prompt",
    "temperature",
    "max_reply_tokens",
    "history_limit",
    "rate_limit_requests",
    "rate_limit_window_seconds",
    "stream_by_default",
    "lead_capture",
    "is_active",
)


def write(apps, schema_editor):
    """Each chatbot as it is becomes its first version."""
    version = apps.get_model("chatbots", "ChatbotVersion")
    chatbots = apps.get_model("chatbots", "Chatbot").objects.filter(versions=None)
    for chatbot in chatbots.select_related("language_model").iterator():
        snapshot = {name: getattr(chatbot, name) for name in SETTINGS}
        version.objects.create(
            workspace_id=chatbot.workspace_id,
            chatbot=chatbot,
            number=1,
            actor_kind="system",
            actor_label="Parley",
            snapshot=snapshot | {"language_model": chatbot.language_model.name},
        )


def take_back(apps, schema_editor):
    version = apps.get_model("chatbots", "ChatbotVersion")
    version.objects.filter(number=1, actor_kind="system").delete()


class Migration(migrations.Migration):
    dependencies = [("chatbots", "0005_versions_and_an_end")]
    # The rule first: rows that were written in this transaction would hold up the ALTER TABLE.
    operations = [migrations.RunSQL(BIND, UNBIND), migrations.RunPython(write, take_back)]
