from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="document",
            name="depth",
            field=models.PositiveSmallIntegerField(default=0, db_default=0),
        ),
        migrations.AddField(
            model_name="generation",
            name="start_url",
            field=models.CharField(blank=True, default="", db_default="", max_length=2000),
        ),
        migrations.AddField(
            model_name="generation",
            name="note",
            field=models.CharField(blank=True, default="", db_default="", max_length=500),
        ),
    ]
