import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

NAMES = [
    ("lead.created", "Lead Created"),
    ("lead.updated", "Lead Updated"),
    ("conversation.started", "Conversation Started"),
    ("message.completed", "Message Completed"),
    ("turn.failed", "Turn Failed"),
    ("credits.low", "Credits Low"),
    ("credits.exhausted", "Credits Exhausted"),
    ("api_key.created", "Api Key Created"),
    ("api_key.revoked", "Api Key Revoked"),
    ("source.ready", "Source Ready"),
    ("source.failed", "Source Failed"),
    ("webhook.test", "Webhook Test"),
]
TYPES = [name for name, _ in NAMES]


class Migration(migrations.Migration):
    atomic = False  # the scan that validates must not hold the lock of the statements before it

    dependencies = [("webhooks", "0002_take_workspaces_in_turn")]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="type",
            field=models.CharField(choices=NAMES, max_length=30),
        ),
        migrations.AlterField(
            model_name="endpoint",
            name="event_types",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=NAMES, max_length=30), size=None
            ),
        ),
        migrations.RemoveConstraint(model_name="event", name="webhooks_event_type_known"),
        AddConstraintNotValid(
            model_name="event",
            constraint=models.CheckConstraint(
                condition=models.Q(("type__in", TYPES)), name="webhooks_event_type_known"
            ),
        ),
        migrations.RemoveConstraint(model_name="endpoint", name="webhooks_endpoint_types_known"),
        AddConstraintNotValid(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "event_types__contained_by",
                        [name for name in TYPES if name != "webhook.test"],
                    ),
                    ("event_types__len__gt", 0),
                ),
                name="webhooks_endpoint_types_known",
            ),
        ),
        ValidateConstraint(model_name="event", name="webhooks_event_type_known"),
        ValidateConstraint(model_name="endpoint", name="webhooks_endpoint_types_known"),
    ]
