"""The settings of the suite, with work that was left behind found within a second."""

from config.settings.test import *  # noqa: F403
from config.settings.test import CELERY_BEAT_SCHEDULE

for _name in ("sweep-turns", "deliver-webhooks"):
    CELERY_BEAT_SCHEDULE[_name]["schedule"] = 1.0
