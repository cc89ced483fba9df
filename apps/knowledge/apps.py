from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "apps.knowledge"

    def ready(self) -> None:
        from apps.infrastructure.limits.uploads import register_upload_address
        from apps.knowledge.services.sources import MAX_FILE_BYTES

        register_upload_address(
            r"/api/v1/knowledge-bases/[^/]+/sources$", max_file_bytes=MAX_FILE_BYTES
        )
