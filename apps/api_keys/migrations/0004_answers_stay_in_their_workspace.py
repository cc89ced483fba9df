from django.db import migrations

BIND = """
ALTER TABLE api_keys_idempotentanswer ADD CONSTRAINT api_keys_answer_api_key_same_workspace
  FOREIGN KEY (workspace_id, api_key_id) REFERENCES api_keys_apikey (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
UNBIND = """
ALTER TABLE api_keys_idempotentanswer DROP CONSTRAINT api_keys_answer_api_key_same_workspace;
"""


class Migration(migrations.Migration):
    dependencies = [("api_keys", "0003_limits_and_idempotency")]
    operations = [migrations.RunSQL(BIND, UNBIND)]
