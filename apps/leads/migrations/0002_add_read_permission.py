from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="lead",
            options={"permissions": [("read_lead", "Can read contact details, with a reason")]},
        ),
    ]
