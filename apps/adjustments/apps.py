from django.apps import AppConfig


class AdjustmentsConfig(AppConfig):
    name = "apps.adjustments"
    verbose_name = "Adjustments"
