from django.db import migrations

SANDBOX_MODELS = {
    "sandbox/echo": "Repeats the last message, word by word, at once.",
    "sandbox/slow": "Repeats the last message: the first word after 0.5 s, then 10 a second.",
    "sandbox/long": "Counts from 1 to 200, 50 numbers a second, whatever it is asked.",
    "sandbox/fail-before": "Fails before the first word.",
    "sandbox/fail-midway": "Repeats the first half of the last message, then fails.",
    "sandbox/rate-limited": "Refuses every request and asks to try again in 10 s.",
    "sandbox/silent": "Accepts every request and never says a word, until a time-out.",
}


def create_models(apps, schema_editor):
    models = apps.get_model("chatbots", "LanguageModel").objects
    set_actor = "SELECT set_config('parley.actor', %s, true)"  # named in the price history
    schema_editor.execute(set_actor, ["Parley"])
    for name, description in SANDBOX_MODELS.items():
        values = {"description": description, "litellm_model": name, "provider_model": name}
        models.using(schema_editor.connection.alias).get_or_create(
            name=name, defaults={"provider": "sandbox", **values}
        )
    schema_editor.execute(set_actor, [""])


def delete_unused_models(apps, schema_editor):
    models = apps.get_model("chatbots", "LanguageModel").objects
    seeded = models.using(schema_editor.connection.alias).filter(name__in=SANDBOX_MODELS)
    seeded.filter(chatbot=None).delete()


class Migration(migrations.Migration):
    dependencies = [("chatbots", "0001_initial")]
    operations = [migrations.RunPython(create_models, delete_unused_models)]
