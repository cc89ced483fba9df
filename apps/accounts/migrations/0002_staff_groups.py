from django.db import migrations

# Their permissions follow after each migration: see apps/accounts/staff_roles.py.
NAMES = ["support", "finance", "operator", "auditor"]


def make(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects
    for name in NAMES:
        groups.get_or_create(name=name)


def remove(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=NAMES).delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_first"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make, remove)]
