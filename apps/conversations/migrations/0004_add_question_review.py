import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from apps.infrastructure.postgres.sql_files import RunSQLFile


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0003_add_knowledge"),
        ("workspaces", "0003_add_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name="QuestionReview",
            fields=[
                (
                    "turn",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="review",
                        serialize=False,
                        to="conversations.turn",
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[("answered", "Answered"), ("dismissed", "Dismissed")], max_length=9
                    ),
                ),
                ("source_id", models.CharField(blank=True, db_collation="C", max_length=25)),
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
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", "dismissed"), ("source_id", "")),
                            models.Q(("outcome", "answered"), ("source_id__gt", "")),
                            _connector="OR",
                        ),
                        name="conversations_review_known",
                    )
                ],
            },
        ),
        RunSQLFile(__file__, "review_same_workspace"),
    ]
