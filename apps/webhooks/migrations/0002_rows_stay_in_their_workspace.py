from django.db import migrations

# (column, target table): each pair (workspace_id, column) must exist in the target.
KEYS = [("event_id", "webhooks_event"), ("endpoint_id", "webhooks_endpoint")]

BIND = "".join(
    f"""
ALTER TABLE webhooks_delivery ADD CONSTRAINT webhooks_delivery_{column}_same_workspace
  FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id)
  DEFERRABLE INITIALLY DEFERRED;
"""
    for column, target in KEYS
)
UNBIND = "".join(
    f"ALTER TABLE webhooks_delivery DROP CONSTRAINT webhooks_delivery_{column}_same_workspace;\n"
    for column, _ in KEYS
)


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_first")]
    operations = [migrations.RunSQL(BIND, UNBIND)]
