"""What every place shares. Values that differ by place come from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

from apps.infrastructure.logging import configure_logging

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()

# Who we are

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
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
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.infrastructure.web.csp.content_security_policy",
]

# The API needs no session, cookie, CSRF token or message; config.asgi gives it these alone.
API_MIDDLEWARE = [
    "apps.infrastructure.web.middleware.request_id",
    "apps.api_kit.error_format.format_method_not_allowed",
]
API_MAX_BODY_BYTES = 1024 * 1024
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
"""Whether /styleguide shows the components of the design system: where people develop."""

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Getting in: by email address and password or passkey, with a second factor for who wants one

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "workspaces"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "apps.dashboard.onboarding.forms.SignUpForm",
    "login": "apps.accounts.forms.LoginForm",
    "reauthenticate": "apps.accounts.forms.ReauthenticateForm",
    "reset_password": "apps.accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "apps.accounts.forms.ResetPasswordKeyForm",
    "change_password": "apps.accounts.forms.ChangePasswordForm",
    "set_password": "apps.accounts.forms.SetPasswordForm",
    "add_email": "apps.accounts.forms.ChangeEmailForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"

MFA_FORMS = {
    "authenticate": "apps.accounts.second_factor_forms.AuthenticateForm",
    "reauthenticate": "apps.accounts.second_factor_forms.ReauthenticateForm",
    "activate_totp": "apps.accounts.second_factor_forms.SetUpAppForm",
    "add_webauthn": "apps.accounts.second_factor_forms.AddPasskeyForm",
}
MFA_ADAPTER = "apps.accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Parley"
MFA_TOTP_TOLERANCE = 1  # a clock may be half a minute wrong

TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many proxies of ours stand before a process: whose word on the caller's address is taken."""

# Email: sent by the job worker

EMAIL_TIMEOUT = 15
ADMINS = [("", address) for address in env.list("ADMINS", default=[])]
"""Who is told by email where the books do not agree."""
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Parley <parley@localhost>")
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000")
"""Where people reach us, without a slash at its end: what links in emails begin with."""

# PostgreSQL: the truth for money and text

DB_THREADS = env.int("DB_THREADS", default=8)
"""Threads, and so connections, that a web process keeps for the chat engine's statements."""


def database(url: str) -> dict[str, Any]:
    """Django's database entry for one PostgreSQL address, with a bounded pool."""
    return {
        **env.db_url_config(url),
        "CONN_MAX_AGE": 0,
        # What rested in the pool may have died with the server: looked at before it is lent.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": DB_THREADS + 16, "timeout": 10}},
    }


# Redis: what may be lost

REDIS_URL: str
"""Set by each place, with all that follows from it, by `redis_settings`."""


def redis_settings(url: str) -> dict[str, Any]:
    """Everything that follows from one Redis address."""
    return {
        "REDIS_URL": url,
        "CELERY_BROKER_URL": url,
        "CACHES": {
            "default": {
                "BACKEND": "apps.infrastructure.redis.cache.RedisCacheWithFallback",
                "LOCATION": url,
                "KEY_PREFIX": "parley:cache",
                "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
            }
        },
        "CHANNEL_LAYERS": {
            "default": {
                "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
                "CONFIG": {"hosts": [url]},
            }
        },
    }


CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Who asks for a job does not wait for a broker that is away: the clock finds every job again.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": 10.0,
    "max_retries": 1,
    "interval_start": 0.0,
    "interval_step": 0.0,
    "interval_max": 0.0,
}
# Receivers of webhooks may be slow: they have workers of their own, and delay nothing else.
CELERY_TASK_ROUTES = {"apps.webhooks.tasks.deliver_due": {"queue": "webhooks"}}
CELERY_BEAT_SCHEDULE = {
    "sweep-turns": {"task": "apps.turns.tasks.sweep_turns", "schedule": 5.0},
    "read-messages-for-search": {
        "task": "apps.conversations.tasks.read_messages",
        "schedule": 5.0,
    },
    "erase-deleted": {"task": "apps.conversations.tasks.erase_deleted", "schedule": 60.0},
    "forget-answers": {"task": "apps.api_keys.tasks.forget_answers", "schedule": 3600.0},
    "renew-credits": {"task": "apps.credits.tasks.renew", "schedule": 60.0},
    "expire-adjustments": {
        "task": "apps.adjustments.tasks.expire_requests",
        "schedule": 600.0,
    },
    # Looked for twice an hour and done once a day, so that an outage is caught up with.
    "check-books": {"task": "apps.reporting.tasks.check_books", "schedule": 1800.0},
    "tell-of-balances": {"task": "apps.credits.tasks.tell_of_balances", "schedule": 5.0},
    "end-workspaces": {"task": "apps.privacy.tasks.end_workspaces", "schedule": 600.0},
    "forget-old": {"task": "apps.privacy.tasks.forget_old", "schedule": 600.0},
    "erase-users": {"task": "apps.privacy.tasks.erase_users", "schedule": 60.0},
    "clear-sessions": {"task": "apps.accounts.tasks.clear_sessions", "schedule": 86_400.0},
    "read-turns-for-leads": {"task": "apps.leads.tasks.read_turns", "schedule": 5.0},
    "deliver-webhooks": {
        "task": "apps.webhooks.tasks.deliver_due",
        "schedule": env.float("WEBHOOK_SWEEP_SECONDS", default=5.0),
        "options": {"expires": 300},
    },
    "tell-owners": {"task": "apps.webhooks.tasks.tell_owners", "schedule": 60.0},
    "prune-webhooks": {"task": "apps.webhooks.tasks.prune", "schedule": 3600.0},
    "write-exports": {
        "task": "apps.conversations.tasks.write_exports",
        "schedule": 5.0,
        "options": {"expires": 60},
    },
    "prune-exports": {"task": "apps.conversations.tasks.prune_exports", "schedule": 3600.0},
}

# Staff and money (credits)

GOODWILL_LIMIT = env.int("GOODWILL_LIMIT", default=500)
"""Goodwill that the group support may give to one workspace in 30 days."""
APPROVAL_ABOVE = env.int("APPROVAL_ABOVE", default=10_000)
"""An adjustment of more than this waits for a second person."""
APPROVAL_DAYS = 7
"""How long it waits."""

# Webhooks

WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=15.0)
_BACKOFF = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
WEBHOOK_BACKOFF_SECONDS = tuple(
    env.list("WEBHOOK_BACKOFF_SECONDS", cast=float, default=list(_BACKOFF))
)
"""Waits between the attempts of a delivery: ten attempts in 3 days and 4 hours."""
WEBHOOK_FAILING_DAYS = 3
"""An endpoint where nothing has succeeded for so long is switched off."""
WEBHOOK_KEPT_DAYS = 30
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
"""Whether webhooks may go to private addresses and over plain http: for development."""

# Exports of conversations

EXPORT_KEPT_DAYS = 7
EXPORT_CLAIM_SECONDS = env.float("EXPORT_CLAIM_SECONDS", default=60.0)
"""How long a worker may take for a part; then another goes on with the export."""
EXPORT_PART_ROWS = env.int("EXPORT_PART_ROWS", default=2000)
EXPORT_MOST_BYTES = env.int("EXPORT_MOST_BYTES", default=2 * 2**30)

# The way of a turn (seconds)

MODEL_CONNECT_TIMEOUT = env.float("MODEL_CONNECT_TIMEOUT", default=5.0)
MODEL_FIRST_TOKEN_TIMEOUT = env.float("MODEL_FIRST_TOKEN_TIMEOUT", default=60.0)
MODEL_BETWEEN_TOKENS_TIMEOUT = env.float("MODEL_BETWEEN_TOKENS_TIMEOUT", default=30.0)
MODEL_TOTAL_TIMEOUT = env.float("MODEL_TOTAL_TIMEOUT", default=300.0)
TURN_HEARTBEAT_SECONDS = env.float("TURN_HEARTBEAT_SECONDS", default=5.0)
TURN_ABANDONED_AFTER_SECONDS = env.float("TURN_ABANDONED_AFTER_SECONDS", default=15.0)
TURN_DRAIN_SECONDS = env.float("TURN_DRAIN_SECONDS", default=50.0)
STREAM_START_SECONDS = env.float("STREAM_START_SECONDS", default=2.0)
STREAM_HEARTBEAT_SECONDS = env.float("STREAM_HEARTBEAT_SECONDS", default=15.0)
IDEMPOTENCY_KEY_HOURS = 24

LEAD_READING_HOURS = 1
"""How long a message may wait to be read for contact details, should the worker be away."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "apps.api_kit.error_format.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

UNFOLD = {
    "SITE_TITLE": "Parley",
    "SITE_HEADER": "Parley",
    "SITE_SYMBOL": "forum",
    "DASHBOARD_CALLBACK": "apps.staff.home.home_context",
    # The accent of static/css/tokens.css.
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
