from django.db import migrations, models

from apps.infrastructure.postgres.sql_files import RunSQLFile


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_uncharged_embedding")]

    operations = [
        migrations.AddField(
            model_name="chunkoverride",
            name="original_text",
            field=models.TextField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="chunkoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("original_text__isnull", False), ("text__isnull", True), _connector="OR"
                ),
                name="knowledge_override_keeps_original",
            ),
        ),
        RunSQLFile(__file__, "files_uncompressed"),
    ]
