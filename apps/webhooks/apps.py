from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from apps.webhooks.owner_emails import disabled_text
        from apps.workspaces.letters import register_letter
        from apps.workspaces.models import LetterKind

        register_letter(LetterKind.ENDPOINT_DISABLED, disabled_text)
