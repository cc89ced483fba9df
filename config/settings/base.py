"""Settings that all environments share. Values that differ come from environment variables."""

from pathlib import Path
from typing import Any

import environ

from apps.infrastructure.logging import configure_logging
from config.settings.accounts import *  # noqa: F403
from config.settings.ceilings import *  # noqa: F403
from config.settings.celery import *  # noqa: F403
from config.settings.celery import CELERY_BEAT_SCHEDULE
from config.settings.edge import *  # noqa: F403
from config.settings.knowledge import *  # noqa: F403
from config.settings.model_keys import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

# Project

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "apps.accounts.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "adrf",
    "ninja",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "apps.accounts",
    "apps.audit",
    "apps.workspaces",
    "apps.webhooks",
    "apps.api_keys",
    "apps.credits",
    "apps.llm",
    "apps.adjustments",
    "apps.chatbots",
    "apps.knowledge",
    "apps.conversations",
    "apps.turns",
    "apps.leads",
    "apps.chat",
    "apps.reporting",
    "apps.privacy",
    "apps.staff",
    "apps.dashboard",
    "apps.demo",
]

MIDDLEWARE = [
    "apps.infrastructure.web.middleware.request_id",
    "apps.api_kit.error_format.format_method_not_allowed",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.infrastructure.web.compression.GZipPagesMiddleware",
    "apps.infrastructure.web.control_characters.RefuseControlCharacters",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.infrastructure.web.csp.content_security_policy",
    "apps.infrastructure.web.private_pages.private_pages",
    "apps.infrastructure.web.error_pages.ErrorPagesMiddleware",
]

# The middleware of API requests, which need no session, CSRF token or messages.
API_MIDDLEWARE = [
    "apps.infrastructure.web.middleware.request_id",
    "apps.api_kit.error_format.format_method_not_allowed",
]
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "apps.infrastructure.web.error_pages.csrf_failure"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.dashboard.context.workspace_layout",
            ]
        },
    }
]

SHOW_STYLEGUIDE = False
"""Whether /styleguide shows the components of the design system, for development."""

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

PASSWORD_HASHERS = ["apps.accounts.passwords.hashing.BoundedArgon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Email, sent by the Celery workers

EMAIL_TIMEOUT = 15
ADMINS = [("", address) for address in env.list("ADMINS", default=[])]
"""Recipients of emails about failed reconciliation checks."""
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Parley <parley@localhost>")
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000")
"""The base URL of links in emails, without a trailing slash."""

# PostgreSQL

DB_THREADS = env.int("DB_THREADS", default=8)
"""Threads, and so connections, of a web process for the chat engine's ORM calls."""

DB_STATEMENT_SECONDS = env.int("DB_STATEMENT_SECONDS", default=0)
"""After how long PostgreSQL cancels a statement; 0 for never. Web processes set it to 30: workers
and commands have statements that take longer."""
DB_IDLE_TRANSACTION_SECONDS = env.int("DB_IDLE_TRANSACTION_SECONDS", default=60)
"""After how long PostgreSQL ends a session that does nothing in a transaction, with its locks."""


def database(
    url: str, *, idle_transaction_seconds: int = DB_IDLE_TRANSACTION_SECONDS
) -> dict[str, Any]:
    """The DATABASES entry for a PostgreSQL URL, with a bounded connection pool."""
    return {
        **env.db_url_config(url),
        "ENGINE": "apps.infrastructure.postgres.backend",
        "CONN_MAX_AGE": 0,
        # An idle connection may have died with the server: check it before use.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "pool": {"max_size": DB_THREADS + 16, "wait_seconds": 5.0},
            # A machine that is gone answers nothing: give up well before TCP would.
            "connect_timeout": 2,
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "options": f"-c statement_timeout={DB_STATEMENT_SECONDS}s"
            f" -c idle_in_transaction_session_timeout={idle_transaction_seconds}s",
        },
    }


# Redis: only data that may be lost

REDIS_URL: str
"""Set in each environment's module by `redis_settings`."""


def redis_settings(url: str) -> dict[str, Any]:
    """All settings that depend on the Redis URL."""
    return {
        "REDIS_URL": url,
        "CELERY_BROKER_URL": url,
        "CACHES": {
            "default": {
                "BACKEND": "apps.infrastructure.redis.cache.RedisCacheWithFallback",
                "LOCATION": url,
                "KEY_PREFIX": "parley:cache:json",
                "OPTIONS": {
                    "serializer": "apps.infrastructure.redis.cache.JsonSerializer",
                    "socket_connect_timeout": 1,
                    "socket_timeout": 1,
                },
            }
        },
        "CHANNEL_LAYERS": {
            "default": {
                "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                "CONFIG": {"hosts": [url]},
            }
        },
    }


# Adjustments of credits by staff (credits)

GOODWILL_LIMIT = env.int("GOODWILL_LIMIT", default=500)
"""Goodwill credits that the group support may give to one workspace in 30 days."""
APPROVAL_ABOVE = env.int("APPROVAL_ABOVE", default=10_000)
"""Credits that one member of staff may move in a workspace in 24 hours without a second person."""
APPROVAL_DAYS = 7
"""How long an adjustment waits for approval."""

# Webhooks

WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=15.0)
WEBHOOK_WORKSPACE_CONCURRENCY = env.int("WEBHOOK_WORKSPACE_CONCURRENCY", default=5)
"""Webhook requests of one workspace at the same time: its share of all senders' threads."""
_BACKOFF = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
WEBHOOK_BACKOFF_SECONDS = tuple(
    env.list("WEBHOOK_BACKOFF_SECONDS", cast=float, default=list(_BACKOFF))
)
"""Waits between the attempts of a delivery: ten attempts in 3 days and 4 hours."""
WEBHOOK_FAILING_DAYS = 3
"""An endpoint without a successful delivery for this long is disabled."""
WEBHOOK_KEPT_DAYS = 30
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
"""Whether webhooks may be sent to private addresses and over plain HTTP, for development."""

# Exports of conversations

EXPORT_KEPT_DAYS = 7
EXPORT_CLAIM_SECONDS = env.float("EXPORT_CLAIM_SECONDS", default=15.0)
"""How long an export waits for another worker after its own has died."""
EXPORT_PART_ROWS = env.int("EXPORT_PART_ROWS", default=2000)
EXPORT_MOST_BYTES = env.int("EXPORT_MOST_BYTES", default=2 * 2**30)

# Turns (seconds)

MODEL_CONNECT_TIMEOUT = env.float("MODEL_CONNECT_TIMEOUT", default=5.0)
MODEL_FIRST_TOKEN_TIMEOUT = env.float("MODEL_FIRST_TOKEN_TIMEOUT", default=60.0)
MODEL_BETWEEN_TOKENS_TIMEOUT = env.float("MODEL_BETWEEN_TOKENS_TIMEOUT", default=30.0)
MODEL_TOTAL_TIMEOUT = env.float("MODEL_TOTAL_TIMEOUT", default=300.0)
TURN_HEARTBEAT_SECONDS = env.float("TURN_HEARTBEAT_SECONDS", default=5.0)
TURN_ABANDONED_AFTER_SECONDS = env.float("TURN_ABANDONED_AFTER_SECONDS", default=15.0)
TURN_SWEEP_SECONDS = CELERY_BEAT_SCHEDULE["sweep-turns"]["schedule"]
TURN_DRAIN_SECONDS = env.float("TURN_DRAIN_SECONDS", default=50.0)
STREAM_START_SECONDS = env.float("STREAM_START_SECONDS", default=2.0)
STREAM_HEARTBEAT_SECONDS = env.float("STREAM_HEARTBEAT_SECONDS", default=15.0)
IDEMPOTENCY_KEY_HOURS = 24

LEAD_READING_HOURS = 1
"""How old a message may be when contact details are detected in it, after an outage."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["apps.api_kit.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "apps.api_kit.error_format.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

UNFOLD = {
    "SITE_TITLE": "Parley",
    "SITE_HEADER": "Parley",
    "SITE_SYMBOL": "forum",
    "DASHBOARD_CALLBACK": "apps.staff.home.home_context",
    # The accent color of static/css/tokens.css.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 270)",
            "100": "oklch(96% .02 270)",
            "200": "oklch(92% .04 270)",
            "300": "oklch(84% .08 270)",
            "400": "oklch(76% .12 270)",
            "500": "oklch(62% .18 270)",
            "600": "oklch(50% .2 270)",
            "700": "oklch(43% .19 270)",
            "800": "oklch(37% .15 270)",
            "900": "oklch(32% .11 270)",
            "950": "oklch(28% .08 270)",
        }
    },
}

LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOGGING_CONFIG = None
configure_logging(style=LOG_FORMAT, level=env.str("LOG_LEVEL", default="INFO"))
