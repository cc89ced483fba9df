from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0003_add_source_events")]

    operations = [
        ValidateConstraint(model_name="event", name="webhooks_event_type_known"),
        ValidateConstraint(model_name="endpoint", name="webhooks_endpoint_types_known"),
    ]
