from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "apps.chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from apps.chat.engine.auth_cache import clear_on_changes

        clear_on_changes()
