import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# By the audit log, which has those created on the dashboard; otherwise the first of the owners.
FILL = """
UPDATE workspaces_workspace AS workspace SET created_by_id = coalesce(
  (SELECT creator.id FROM audit_auditentry AS entry
   JOIN accounts_user AS creator ON creator.id = entry.actor_id
   WHERE entry.workspace_id = workspace.id AND entry.action = 'workspace.created'
   ORDER BY entry.created_at LIMIT 1),
  (SELECT user_id FROM workspaces_member AS member
   WHERE member.workspace_id = workspace.id AND role = 'owner'
   ORDER BY created_at, id LIMIT 1))
WHERE created_by_id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("audit", "0001_initial"),
        ("workspaces", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="created_workspaces",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
