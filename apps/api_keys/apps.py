from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apps.api_keys"
    verbose_name = "API keys"

    def ready(self) -> None:
        """Register this app's keys with the REST API."""
        from apps.api_keys.authentication import DatabaseApiKeys
        from apps.api_kit.authentication import register_backend

        register_backend(DatabaseApiKeys())
