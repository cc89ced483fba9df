from django.apps import AppConfig
from django.core.checks import Tags, register


class ChatbotsConfig(AppConfig):
    name = "apps.chatbots"

    def ready(self) -> None:
        from apps.chatbots.checks import check_model_keys

        register(check_model_keys, Tags.database)
