from django.db import migrations

from apps.core.ids import new_id

SANDBOX = {
    "sandbox/echo": "Repeats the last message, word by word, at once.",
    "sandbox/slow": "Repeats the last message: the first word after 0.5 s, then 10 a second.",
    "sandbox/long": "Counts from 1 to 200, 50 numbers a second, whatever it is asked.",
    "sandbox/fail-before": "Fails before the first word.",
    "sandbox/fail-midway": "Repeats the first half of the last message, then fails.",
    "sandbox/rate-limited": "Refuses every request and asks to try again in 10 s.",
    "sandbox/silent": "Accepts every request and never says a word, until a time-out.",
}


def add(apps, schema_editor):
    LanguageModel = apps.get_model("chatbots", "LanguageModel")
    for name, description in SANDBOX.items():
        LanguageModel.objects.create(
            id=new_id(),
            name=name,
            description=description,
            litellm_model=name,
            provider="sandbox",
            provider_model=name,
        )


def remove(apps, schema_editor):
    LanguageModel = apps.get_model("chatbots", "LanguageModel")
    LanguageModel.objects.filter(name__in=SANDBOX, chatbot=None).delete()


class Migration(migrations.Migration):
    dependencies = [("chatbots", "0001_first")]
    operations = [migrations.RunPython(add, remove)]
