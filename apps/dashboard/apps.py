from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "apps.dashboard"

    def ready(self) -> None:
        from apps.infrastructure.limits.uploads import register_upload_address
        from apps.knowledge.services.sources import MAX_FILE_BYTES

        register_upload_address(r"/w/[^/]+/knowledge/[^/]+/files$", max_file_bytes=MAX_FILE_BYTES)
