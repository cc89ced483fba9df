from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "apps.chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from apps.chat.engine.auth_cache import heed_changes

        heed_changes()
