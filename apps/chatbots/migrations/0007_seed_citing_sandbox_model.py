from django.db import migrations

NAME = "sandbox/cite"
DESCRIPTION = "Repeats the last message and cites every passage that it was shown."


def create_model(apps, schema_editor):
    models = apps.get_model("chatbots", "LanguageModel").objects
    set_actor = "SELECT set_config('parley.actor', %s, true)"  # named in the price history
    schema_editor.execute(set_actor, ["Parley"])
    values = {"description": DESCRIPTION, "litellm_model": NAME, "provider_model": NAME}
    models.using(schema_editor.connection.alias).get_or_create(
        name=NAME, defaults={"provider": "sandbox", **values}
    )
    schema_editor.execute(set_actor, [""])


def delete_unused_model(apps, schema_editor):
    models = apps.get_model("chatbots", "LanguageModel").objects
    seeded = models.using(schema_editor.connection.alias).filter(name=NAME)
    seeded.filter(chatbot=None).delete()


class Migration(migrations.Migration):
    dependencies = [("chatbots", "0006_add_knowledge")]
    operations = [migrations.RunPython(create_model, delete_unused_model)]
