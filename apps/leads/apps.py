from django.apps import AppConfig


class LeadsConfig(AppConfig):
    name = "apps.leads"
    verbose_name = "Leads"

    def ready(self) -> None:
        from apps.conversations.filters import register_lead_query
        from apps.conversations.signals import conversation_erased
        from apps.leads.erasure import unlink_conversation
        from apps.leads.models import Lead

        register_lead_query(Lead.objects.all)
        conversation_erased.connect(unlink_conversation)
