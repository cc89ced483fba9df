"""Settings, URLs, the ASGI and Celery applications, the REST API and its OpenAPI document."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
