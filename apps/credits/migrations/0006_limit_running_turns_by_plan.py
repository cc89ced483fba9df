from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("credits", "0005_count_running_turns")]

    operations = [
        migrations.AddField(
            model_name="plan",
            name="max_running_turns",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Turns of a workspace that run at once. Empty: the server's limit.",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=Q(max_running_turns__isnull=True) | Q(max_running_turns__gte=1),
                name="credits_plan_runs_a_turn",
            ),
        ),
    ]
