from django.db import migrations

BIND = """
ALTER TABLE conversations_exportpart ADD CONSTRAINT conversations_exportpart_export_same_workspace
  FOREIGN KEY (workspace_id, export_id) REFERENCES conversations_export (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
UNBIND = """
ALTER TABLE conversations_exportpart
  DROP CONSTRAINT conversations_exportpart_export_same_workspace;
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0008_exports")]
    operations = [migrations.RunSQL(BIND, UNBIND)]
