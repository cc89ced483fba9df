"""Production. Does not start unless all secrets and URLs are set, and SECRET_KEY is strong.

Environment: SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL and REDIS_URL are required;
PUBLIC_URL (https:// and the first allowed host), EMAIL_URL (a mail server on localhost, port 25),
DEFAULT_FROM_EMAIL, ADMINS, CSRF_TRUSTED_ORIGINS, TRUST_PROXY_TLS, TRUSTED_PROXIES, DB_THREADS,
LOG_LEVEL, WEBHOOK_ALLOW_PRIVATE and the time-outs of `config.settings.base` are optional.
"""

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *  # noqa: F403
from config.settings.base import database, env, redis_settings


def require_strong(secret: str) -> str:
    """Return the secret. Raises ImproperlyConfigured if it is weak."""
    if len(secret) < 50 or len(set(secret)) < 12 or secret.startswith(("django-insecure", "local")):
        raise ImproperlyConfigured(
            "SECRET_KEY is missing or weak: give at least 50 random characters, for example "
            'from python3 -c "import secrets; print(secrets.token_urlsafe(64))"'
        )
    return secret


def require_env(name: str) -> str:
    """Return an environment variable. Raises ImproperlyConfigured if it is not set."""
    value = str(env.str(name, default=""))
    if not value:
        raise ImproperlyConfigured(f"{name} is missing: production starts only with it set.")
    return value


def require_hosts(text: str) -> list[str]:
    """Return the host names. Raises ImproperlyConfigured for one that matches every host."""
    hosts = [host.strip() for host in text.split(",")]
    if any(host in ("*", ".", "") for host in hosts):
        raise ImproperlyConfigured("ALLOWED_HOSTS must name this server's hosts, not *.")
    return hosts


DEBUG = False
SECRET_KEY = require_strong(env.str("SECRET_KEY", default=""))
ALLOWED_HOSTS = require_hosts(require_env("ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATABASES = {"default": database(require_env("DATABASE_URL"))}
globals().update(redis_settings(require_env("REDIS_URL")))

SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"  # browsers then reject it from a subdomain or plain HTTP
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
if env.bool("TRUST_PROXY_TLS", default=True):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1)

PUBLIC_URL = env.str("PUBLIC_URL", default=f"https://{ALLOWED_HOSTS[0].lstrip('.')}").rstrip("/")
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL", default=f"Parley <parley@{ALLOWED_HOSTS[0].lstrip('.')}>"
)
globals().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
