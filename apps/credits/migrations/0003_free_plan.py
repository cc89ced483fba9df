from django.db import migrations


def add(apps, schema_editor):
    Plan = apps.get_model("credits", "Plan")
    Plan.objects.get_or_create(slug="free", defaults={"name": "Free", "monthly_credits": 100})


def remove(apps, schema_editor):
    apps.get_model("credits", "Plan").objects.filter(slug="free", account=None).delete()


class Migration(migrations.Migration):
    dependencies = [("credits", "0002_ledger_is_append_only")]
    operations = [migrations.RunPython(add, remove)]
