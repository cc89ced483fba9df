"""The test suite: PostgreSQL and Valkey, fast password hashing and short timeouts."""

from urllib.parse import urlsplit

from config.settings.base import *  # noqa: F403
from config.settings.base import CELERY_BEAT_SCHEDULE, database, env, redis_settings

DEBUG = False
SHOW_STYLEGUIDE = True
SECRET_KEY = "only-for-tests-" + "0123456789" * 4
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
DATABASES = {
    "default": database(
        env.str("DATABASE_URL", default="postgres://parley@127.0.0.1:5532/parley"),
        idle_transaction_seconds=600,  # a test's transaction may be idle while other tests run
    )
}
# Each process of a parallel run uses its own Redis database, from 1 on.
WORKER = int(env.str("PYTEST_XDIST_WORKER", default="gw0").removeprefix("gw"))
REDIS = urlsplit(env.str("REDIS_URL", default="redis://127.0.0.1:6479/0"))
if "PYTEST_XDIST_WORKER" in env.ENVIRON:
    REDIS = REDIS._replace(path=f"/{WORKER + 1}")
globals().update(redis_settings(REDIS.geturl()))

BODY_FIRST_SECONDS = env.float("BODY_FIRST_SECONDS", default=3.0)
MAX_WRONG_KEYS_PER_MINUTE = env.int("MAX_WRONG_KEYS_PER_MINUTE", default=1_000_000)
MAX_TURNS_PER_MINUTE = env.int("MAX_TURNS_PER_MINUTE", default=1_000_000)
MAX_API_REQUESTS_PER_HOUR = env.int("MAX_API_REQUESTS_PER_HOUR", default=1_000_000)
MODEL_FIRST_TOKEN_TIMEOUT = 3.0
TURN_HEARTBEAT_SECONDS = 0.5
TURN_ABANDONED_AFTER_SECONDS = 2.0
STREAM_START_SECONDS = 1.0
STREAM_HEARTBEAT_SECONDS = 0.5
CELERY_BEAT_SCHEDULE["sweep-turns"]["schedule"] = 0.5
CELERY_BEAT_SCHEDULE["scan-turns-for-leads"]["schedule"] = 0.5

# Webhook receivers listen on loopback; tests of what is refused set this to False.
WEBHOOK_ALLOW_PRIVATE = True
WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=1.0)
WEBHOOK_BACKOFF_SECONDS = (0.2,) * 100

# Sites under test are on loopback, on ports that may have been another's a moment ago.
FETCH_PRIVATE_HOSTS = env.list("FETCH_PRIVATE_HOSTS", default=["*"])
FETCH_TIMEOUT_SECONDS = env.float("FETCH_TIMEOUT_SECONDS", default=5.0)
FETCH_INTERVAL_SECONDS = 0.0
FETCH_ROBOTS_SECONDS = 1.0

# A busy machine is no reason to answer without knowledge.
KNOWLEDGE_RETRIEVAL_SECONDS = env.float("KNOWLEDGE_RETRIEVAL_SECONDS", default=30.0)
