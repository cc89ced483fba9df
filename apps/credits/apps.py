from django.apps import AppConfig


class CreditsConfig(AppConfig):
    name = "apps.credits"
    verbose_name = "Credits"

    def ready(self) -> None:
        from apps.credits.letter_texts import alert_text, decision_text
        from apps.workspaces.letters import register_letter
        from apps.workspaces.models import LetterKind

        register_letter(LetterKind.CREDIT_ALERT, alert_text)
        register_letter(LetterKind.CREDIT_DECISION, decision_text)
