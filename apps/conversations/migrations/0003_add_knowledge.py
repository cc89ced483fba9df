import django.contrib.postgres.fields
import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

import apps.infrastructure.postgres.id_field
from apps.infrastructure.postgres.sql_files import RunSQLFile


class Migration(migrations.Migration):
    atomic = False  # the scan that validates must not hold the lock of the statements before it
    dependencies = [
        ("api_keys", "0001_initial"),
        ("chatbots", "0006_add_knowledge"),
        ("conversations", "0002_add_turn_sweep_and_charge_abandoned_turns"),
        ("workspaces", "0003_add_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name="Citation",
            fields=[
                ("id", apps.infrastructure.postgres.id_field.IdField(serialize=False)),
                ("number", models.PositiveSmallIntegerField()),
                ("source_id", models.CharField(db_collation="C", max_length=25)),
                ("chunk_id", models.CharField(db_collation="C", max_length=25)),
                ("digest", models.CharField(max_length=64)),
                ("title", models.CharField(blank=True, max_length=300)),
                ("url", models.CharField(blank=True, max_length=2000)),
                ("page", models.PositiveIntegerField(blank=True, null=True)),
                ("text", models.TextField(help_text="The passage as the model was shown it.")),
                (
                    "score",
                    models.FloatField(
                        help_text="Its rank in the search: orders the passages of a turn."
                    ),
                ),
                (
                    "matched_by",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=7),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="turn",
            name="knowledge",
            field=models.CharField(
                blank=True,
                choices=[
                    ("found", "Found"),
                    ("nothing_found", "Nothing Found"),
                    ("unavailable", "Unavailable"),
                ],
                db_default="",
                max_length=13,
            ),
        ),
        migrations.AddField(
            model_name="turn",
            name="retrieval_ms",
            field=models.PositiveIntegerField(
                blank=True, help_text="Milliseconds that the search for passages took.", null=True
            ),
        ),
        AddConstraintNotValid(
            model_name="turn",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("knowledge__in", ["", "found", "nothing_found", "unavailable"])
                ),
                name="conversations_turn_knowledge_known",
            ),
        ),
        migrations.AddField(
            model_name="citation",
            name="turn",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="citations",
                to="conversations.turn",
            ),
        ),
        migrations.AddField(
            model_name="citation",
            name="workspace",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="workspaces.workspace",
            ),
        ),
        migrations.AddConstraint(
            model_name="citation",
            constraint=models.UniqueConstraint(
                models.F("turn"), models.F("number"), name="conversations_citation_once_a_number"
            ),
        ),
        RunSQLFile(__file__, "citation_same_workspace"),
        ValidateConstraint(model_name="turn", name="conversations_turn_knowledge_known"),
    ]
