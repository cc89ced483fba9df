from django.apps import AppConfig


class LeadsConfig(AppConfig):
    name = "apps.leads"
    verbose_name = "Leads"

    def ready(self) -> None:
        from apps.conversations.signals import conversation_erased
        from apps.leads.erasure import unlink_conversation

        conversation_erased.connect(unlink_conversation)
