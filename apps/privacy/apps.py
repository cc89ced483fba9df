from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    name = "apps.privacy"
    verbose_name = "Privacy"

    def ready(self) -> None:
        from apps.privacy.tasks import enqueue_erasures
        from apps.workspaces.signals import erasure_requested

        erasure_requested.connect(enqueue_erasures, dispatch_uid="enqueue erasures")
