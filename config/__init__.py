"""Settings, addresses and the two programs: the web application and the Celery application."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
