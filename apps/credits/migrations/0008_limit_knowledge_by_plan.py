from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("credits", "0007_charge_embedding")]

    operations = [
        migrations.AddField(
            model_name="plan",
            name="max_sources",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Sources in a workspace's knowledge bases. Empty: the server's limit.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="max_knowledge_bytes",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text=(
                    "Bytes of all files in a workspace's knowledge bases. Empty: the server's "
                    "limit."
                ),
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="plan",
            name="max_chunks",
            field=models.PositiveIntegerField(
                blank=True,
                help_text=(
                    "Passages that a workspace's sources are cut into. Empty: the server's limit."
                ),
                null=True,
            ),
        ),
    ]
