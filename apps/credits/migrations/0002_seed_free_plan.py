from django.db import migrations


def create_free_plan(apps, schema_editor):
    plans = apps.get_model("credits", "Plan").objects.using(schema_editor.connection.alias)
    plans.get_or_create(slug="free", defaults={"name": "Free", "monthly_credits": 100})


def delete_unused_free_plan(apps, schema_editor):
    plans = apps.get_model("credits", "Plan").objects.using(schema_editor.connection.alias)
    plans.filter(slug="free", account=None).delete()


class Migration(migrations.Migration):
    dependencies = [("credits", "0001_initial")]
    operations = [migrations.RunPython(create_free_plan, delete_unused_free_plan)]
