import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

CHARGED = "conversations_turn_charged_only_for_an_answer"


class Migration(migrations.Migration):
    atomic = False  # the scan that validates must not hold the lock of the statements before it

    dependencies = [("conversations", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="TurnSweep",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "passed_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "uninterrupted_since",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="conversations_one_sweep"
                    )
                ]
            },
        ),
        migrations.RemoveConstraint(model_name="turn", name=CHARGED),
        AddConstraintNotValid(
            model_name="turn",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("credits_charged", 0),
                    ("status__in", ["completed", "stopped", "abandoned"]),
                    _connector="OR",
                ),
                name=CHARGED,
            ),
        ),
        ValidateConstraint(model_name="turn", name=CHARGED),
    ]
