import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

# Until now the first workspace that a person owned had credits: that of its creator.
RECORD = """
INSERT INTO credits_welcomegrant (user_id, workspace_id, created_at)
SELECT DISTINCT ON (created_by_id) created_by_id, id, created_at FROM workspaces_workspace
WHERE created_by_id IS NOT NULL ORDER BY created_by_id, created_at, id
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("workspaces", "0002_add_workspace_creator"),
        ("credits", "0002_seed_free_plan"),
    ]

    operations = [
        migrations.CreateModel(
            name="WelcomeGrant",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="workspaces.workspace",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(RECORD, migrations.RunSQL.noop),
    ]
