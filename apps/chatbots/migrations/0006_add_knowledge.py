import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chatbots", "0005_seed_sandbox_embedding_models"),
        ("workspaces", "0003_add_letters"),
    ]

    operations = [
        migrations.AddField(
            model_name="chatbot",
            name="knowledge_mode",
            field=models.CharField(
                choices=[
                    ("off", "Off"),
                    ("on", "On: answer from knowledge, and otherwise from what the model knows"),
                    ("only", "Only: answer from knowledge, and otherwise with a fixed reply"),
                ],
                db_default="on",
                default="on",
                help_text="Without attached knowledge bases it has no effect.",
                max_length=4,
            ),
        ),
        migrations.AddField(
            model_name="chatbot",
            name="knowledge_not_found_reply",
            field=models.CharField(
                db_default="I could not find an answer to that in our documents.",
                default="I could not find an answer to that in our documents.",
                help_text="The answer in mode “only” when nothing is found.",
                max_length=1000,
            ),
        ),
        migrations.AddField(
            model_name="chatbot",
            name="knowledge_passages",
            field=models.PositiveSmallIntegerField(
                db_default=5,
                default=5,
                help_text="Number of passages shown to the model for one question, at most.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(20),
                ],
            ),
        ),
        migrations.AddField(
            model_name="chatbot",
            name="knowledge_tokens",
            field=models.PositiveSmallIntegerField(
                db_default=1500,
                default=1500,
                help_text="Tokens of all passages for one question, at most.",
                validators=[
                    django.core.validators.MinValueValidator(100),
                    django.core.validators.MaxValueValidator(8000),
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="chatbot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("knowledge_mode__in", ["off", "on", "only"]),
                    ("knowledge_passages__range", (1, 20)),
                    ("knowledge_tokens__range", (100, 8000)),
                ),
                name="chatbots_knowledge_in_range",
            ),
        ),
    ]
