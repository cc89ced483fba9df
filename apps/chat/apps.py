from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "apps.chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        from apps.chat.engine.auth_cache import clear_on_changes
        from apps.chat.openai.completion_format import PATHS, error_body
        from apps.infrastructure.web.asgi import register_error_format

        clear_on_changes()
        register_error_format(PATHS, error_body)
