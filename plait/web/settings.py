"""Django's settings, read from the environment that `plait serve` prepares.

`PLAIT_HOME` is the folder of the facts; `PLAIT_DATABASE_URL` a PostgreSQL address (default: SQLite in the home);
`PLAIT_HOSTS` the names under which the desk is reached, with commas; `PLAIT_LOCAL=1` allows plain http on this machine;
`PLAIT_SMTP_URL` the mail server (default: mails are written to files in the home); `PLAIT_MAIL_FROM` the sender.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from plait.web import addresses, secret

HOME = Path(os.environ.get("PLAIT_HOME", "plait-home")).absolute()
STATE = HOME / "web"
HERE = Path(__file__).parent
LOCAL = os.environ.get("PLAIT_LOCAL") == "1"

SECRET_KEY = secret.key(STATE / "secret.key")
DEBUG = False
ALLOWED_HOSTS = [host for host in os.environ.get("PLAIT_HOSTS", "localhost,127.0.0.1,[::1]").split(",") if host]
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]
DATABASES: dict[str, dict[str, Any]] = {
    "default": addresses.database(os.environ.get("PLAIT_DATABASE_URL"), STATE / "plait.sqlite3")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_q",
    "plait.web",
    "plait.web.people",
    "plait.web.work",
    "plait.web.collector",
    "plait.web.handoffs",
    "plait.web.register",
    "plait.web.benchmarks",
    "plait.web.connections",
    "plait.web.erasing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "plait.web.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "plait.web.middleware.language_of_the_reader",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "plait.web.middleware.note_activity",
    "plait.web.middleware.Plainly",
]
ROOT_URLCONF = "plait.web.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "plait.web.frame.frame",
            ],
            "builtins": ["plait.web.templatetags.plait"],
        },
    }
]

# Who may come in: addresses instead of user names, a second factor, database sessions that can be ended.
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "plait.web.people.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation was sent to the address before anybody could come in
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_RATE_LIMITS = {"login_failed": "10/15m/key,50/15m/ip"}
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "plait"
MFA_TOTP_TOLERANCE = 1  # half a minute either way: telephones have clocks of their own
USERSESSIONS_TRACK_ACTIVITY = False  # `note_activity` does it, without a write at every page
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "web_cache"},
}

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "plait" if LOCAL else "__Host-plait"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not LOCAL
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "plait.web.pages.fault.unsigned"
CSRF_COOKIE_NAME = "plait-csrf" if LOCAL else "__Host-plait-csrf"
LANGUAGE_COOKIE_NAME = "plait-language"
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOCAL
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if os.environ.get("PLAIT_BEHIND_PROXY") == "1" else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
FILE_UPLOAD_TEMP_DIR = secret.folder(STATE / "uploads")

STATIC_URL = "/static/"
STATIC_ROOT = STATE / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français"), ("ko", "한국어")]
LOCALE_PATHS = [HERE / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

EMAIL_BACKEND, EMAIL = addresses.mail(os.environ.get("PLAIT_SMTP_URL"))
globals().update(EMAIL)
EMAIL_FILE_PATH = STATE / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("PLAIT_MAIL_FROM", "plait@localhost")

Q_CLUSTER = {
    "name": "plait",
    "orm": "default",
    "workers": 1,
    "timeout": 3600,
    "retry": 3700,  # later than the timeout: a job that still runs is not begun twice
    "poll": 0.5,
    "catch_up": False,
    "max_attempts": 2,
    "ack_failures": True,
    "label": "plait",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
