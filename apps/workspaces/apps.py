from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "apps.workspaces"
    verbose_name = "Workspaces"

    def ready(self) -> None:
        from apps.workspaces.letter_texts import deletion_text, invitation_text
        from apps.workspaces.letters import register_letter
        from apps.workspaces.models import LetterKind

        register_letter(LetterKind.INVITATION, invitation_text)
        register_letter(LetterKind.DELETION, deletion_text)
