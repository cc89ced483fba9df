from django.db import migrations

SANDBOX_MODELS = {
    "sandbox/embed": "Places texts by their words and parts of words, at once.",
    "sandbox/embed-slow": "The same, after 2 s.",
    "sandbox/embed-fail": "Fails.",
    "sandbox/embed-rate-limited": "Refuses every request and asks to try again in 10 s.",
}
DEFAULT = "sandbox/embed"


def create_models(apps, schema_editor):
    models = apps.get_model("chatbots", "EmbeddingModel").objects
    for name, description in SANDBOX_MODELS.items():
        values = {"description": description, "litellm_model": name, "provider_model": name}
        models.using(schema_editor.connection.alias).get_or_create(
            name=name,
            defaults={
                "provider": "sandbox",
                "dimensions": 256,
                "max_input_tokens": 8192,
                "batch_size": 256,
                "is_default": name == DEFAULT,
                **values,
            },
        )


def delete_models(apps, schema_editor):
    models = apps.get_model("chatbots", "EmbeddingModel").objects
    models.using(schema_editor.connection.alias).filter(name__in=SANDBOX_MODELS).delete()


class Migration(migrations.Migration):
    dependencies = [("chatbots", "0004_embedding_model")]
    operations = [migrations.RunPython(create_models, delete_models)]
