"""Development on one machine, with the services of `make demo` or of the environment."""

from config.settings.base import *  # noqa: F403
from config.settings.base import BASE_DIR, database, env, redis_settings

SERVICES = BASE_DIR / ".local" / "services.env"
if SERVICES.is_file():
    env.read_env(SERVICES)

DEBUG = False
SHOW_STYLEGUIDE = True
SECRET_KEY = env.str("SECRET_KEY", default="local-only-" + "parley" * 8)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
EMAIL_BACKEND = "apps.infrastructure.mail_files.PrivateFileBackend"
EMAIL_FILE_PATH = BASE_DIR / ".local" / "mail"
ACCOUNT_EMAIL_VERIFICATION = "optional"  # no email is sent on a development machine
STAFF_SECOND_FACTOR_REQUIRED = env.bool("STAFF_SECOND_FACTOR_REQUIRED", default=False)
"""Off on a development machine, where the demo's staff user logs in with a password alone."""
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
DATABASES = {
    "default": database(env.str("DATABASE_URL", default="postgres://parley@127.0.0.1:5532/parley"))
}
globals().update(redis_settings(env.str("REDIS_URL", default="redis://127.0.0.1:6479/0")))
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=True)
FETCH_PRIVATE_HOSTS = env.list("FETCH_PRIVATE_HOSTS", default=["*"])
