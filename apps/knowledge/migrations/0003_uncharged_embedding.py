import django.db.models.deletion
from django.db import migrations, models

from apps.infrastructure.postgres.sql_files import RunSQLFile


class Migration(migrations.Migration):
    dependencies = [
        ("chatbots", "0004_embedding_model"),
        ("knowledge", "0002_add_crawl_results"),
        ("workspaces", "0003_add_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name="UnchargedEmbedding",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("credits_per_1k_tokens", models.PositiveIntegerField()),
                ("tokens", models.PositiveBigIntegerField(default=0)),
                (
                    "embedding_model",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="chatbots.embeddingmodel",
                    ),
                ),
                (
                    "generation",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="knowledge.generation",
                    ),
                ),
                (
                    "knowledge_base",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="knowledge.knowledgebase",
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
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("workspace"),
                        models.F("generation"),
                        models.F("embedding_model"),
                        name="knowledge_uncharged_once_a_generation",
                    ),
                    models.UniqueConstraint(
                        models.F("workspace"),
                        models.F("knowledge_base"),
                        models.F("embedding_model"),
                        condition=models.Q(("generation__isnull", True)),
                        name="knowledge_uncharged_once_a_change",
                    ),
                ],
            },
        ),
        RunSQLFile(__file__, "uncharged_embedding_same_workspace"),
    ]
