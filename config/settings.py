"""Settings: one file, read from environment variables; docs/operations.md describes each of them.

A bad value stops the start and names its variable. Where a service is not configured, the embedded one of
TIEBREAK_HOME is used.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from zoneinfo import available_timezones

import dj_database_url
from environs import Env, validate

from config import embedded

env = Env()

AT_LEAST_ONE = validate.Range(min=1)

BASE_DIR = Path(__file__).resolve().parent.parent
TIEBREAK_HOME = embedded.data_directory()


def _secret_key() -> str:
    """The key of the environment, else one made once and kept in the data directory."""
    if key := env.str("SECRET_KEY", ""):
        return key
    path = TIEBREAK_HOME / "secret_key"
    if not path.exists():
        embedded.make_home(TIEBREAK_HOME)
        # Whole or not at all: several processes may start at once, and only one of their keys may count.
        with NamedTemporaryFile("w", dir=TIEBREAK_HOME) as draft, suppress(FileExistsError):
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            os.link(draft.name, path)
    return path.read_text()


DEBUG = env.bool("DEBUG", False)
SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "django_htmx",
    "jobs",
    "annotation",
    "judging",
    "training",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.security.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.sign_in.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            # Every page tells times in the reader's zone.
            "builtins": ["annotation.templatetags.moments"],
        },
    }
]


# Set to nothing is not set: that is how compose files pass on what is missing.
if env.str("DATABASE_URL", ""):
    _database = env.dj_db_url("DATABASE_URL")
else:
    _database = dj_database_url.parse(embedded.database_url(TIEBREAK_HOME))
if _database["ENGINE"] != "django.db.backends.postgresql":
    raise ValueError("DATABASE_URL must be a postgresql:// address: Tiebreak keeps its invariants in PostgreSQL")
DATABASES = {
    "default": _database
    | {
        "ENGINE": "config.postgresql",
        "OPTIONS": _database.get("OPTIONS", {})
        | {
            # Of annotation/prepared.py alone: Django's own statements carry their values and are never kept.
            "prepare_threshold": 5 if env.bool("DATABASE_PREPARE", True) else None,
            "pool": {"min_size": 0, "max_size": env.int("DATABASE_POOL_SIZE", 8, validate=AT_LEAST_ONE), "timeout": 10},
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "annotation.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "annotation.roles.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Ten wrong passwords for one name from one address lock that pair out for a quarter of an hour.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_VERBOSE = False

# Sessions are rows: signing out ends one for good, nothing but PostgreSQL is needed, and reading one costs 0.1 ms.
SESSION_ENGINE = "config.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("HTTPS", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("HTTPS", False) else None

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = env.str("TIME_ZONE", "UTC")
if TIME_ZONE not in available_timezones():
    raise ValueError(f"TIME_ZONE must be a zone such as Europe/Berlin or UTC, not '{TIME_ZONE}'")
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = TIEBREAK_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "judging.plotly_static.PlotlyFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = TIEBREAK_HOME / "files"
# A dataset of 300,000 pairs is a few hundred megabytes; larger files are for the command line.
UPLOAD_LIMIT_BYTES = env.int("UPLOAD_LIMIT_BYTES", 2 * 1024**3, validate=AT_LEAST_ONE)
UPLOAD_KEEP_DAYS = env.float("UPLOAD_KEEP_DAYS", 30, validate=validate.Range(min=0))
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

BROKERS = ("amqp://", "amqps://", "redis://", "rediss://", "redis+socket://")
CELERY_BROKER_URL = env.str("BROKER_URL", "") or embedded.broker_url(TIEBREAK_HOME)
if not CELERY_BROKER_URL.startswith(BROKERS):
    raise ValueError("BROKER_URL must be an amqp://, amqps://, redis:// or rediss:// address")
# The rows of jobs are the truth: a message is acknowledged before its work begins and its result is a row.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A worker waits for its broker for as long as it takes. A web request does not: the reaper sends what it could not.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
} | (
    {"socket_connect_timeout": 2, "socket_timeout": 3, "socket_keepalive": True}
    if CELERY_BROKER_URL.startswith(("redis", "valkey"))
    else {"write_timeout": 3}
)


def _seconds(name: str, default: float) -> float:
    return env.float(name, default, validate=validate.Range(min=0.01))


JOB_BEAT_SECONDS = _seconds("JOB_BEAT_SECONDS", 5)
JOB_STALE_SECONDS = _seconds("JOB_STALE_SECONDS", 30)
if JOB_STALE_SECONDS < 3 * JOB_BEAT_SECONDS:
    raise ValueError("JOB_STALE_SECONDS must be at least three times JOB_BEAT_SECONDS, or live work is taken for dead")
JOB_PROGRESS_SECONDS = _seconds("JOB_PROGRESS_SECONDS", 0.5)
JOB_GRACE_SECONDS = _seconds("JOB_GRACE_SECONDS", 30)
JOB_KILL_SECONDS = _seconds("JOB_KILL_SECONDS", 5)
JOB_REAP_SECONDS = _seconds("JOB_REAP_SECONDS", 5)
JOB_RESEND_SECONDS = _seconds("JOB_RESEND_SECONDS", 30)
JOB_RETRY_SECONDS = _seconds("JOB_RETRY_SECONDS", 10)
JOB_LOG_DAYS = env.float("JOB_LOG_DAYS", 90, validate=validate.Range(min=0))
JOB_LOG_BYTES = env.int("JOB_LOG_BYTES", 64 * 1024**2, validate=validate.Range(min=64 * 1024))


def _store(address: str, *, endpoint: str) -> dict[str, object]:
    if address.startswith("/"):
        options: dict[str, object] = {"location": address, "allow_overwrite": True}
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not address.startswith("s3://") or not bucket:
        raise ValueError(f"TRAINING_STORE must be a folder as /mnt/store or a bucket as s3://name, not '{address}'")
    options = {"bucket_name": bucket, "location": prefix, "endpoint_url": endpoint or None, "file_overwrite": True}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


# Snapshots and training runs: on several machines a folder that all of them see.
TRAINING_ROOT = Path(env.str("TRAINING_ROOT", "") or TIEBREAK_HOME / "training").absolute()
TRAINING_LAUNCHER = env.str("TRAINING_LAUNCHER", "deepspeed", validate=validate.OneOf(["deepspeed", "torchrun"]))
# Where workers have a TRAINING_ROOT each: a folder or a bucket that all of them reach (judging.artifacts).
if env.str("TRAINING_STORE", ""):
    STORAGES["artifacts"] = _store(env.str("TRAINING_STORE"), endpoint=env.str("TRAINING_STORE_ENDPOINT", ""))
# Machines that a run of more devices than a worker has is spread over, in DeepSpeed's format, and how they are reached.
TRAINING_HOSTFILE = env.str("TRAINING_HOSTFILE", "")
TRAINING_SSH = env.str("TRAINING_SSH", "ssh")
# A run that has said nothing for so long hangs, and is ended.
TRAINING_SILENCE_SECONDS = _seconds("TRAINING_SILENCE_SECONDS", 1800)

# Notifications are mailed where a server is named; they are rows, and tried again (annotation/notification_mail.py).
EMAIL_HOST = env.str("EMAIL_HOST", "")
EMAIL_PORT = env.int("EMAIL_PORT", 25, validate=validate.Range(min=1, max=65535))
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = _seconds("EMAIL_TIMEOUT", 10)
EMAIL_RETRY_SECONDS = _seconds("EMAIL_RETRY_SECONDS", 60)
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("EMAIL_FROM", "")
SITE_URL = env.str("SITE_URL", "").rstrip("/")
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ValueError("Set one of EMAIL_USE_TLS and EMAIL_USE_SSL, as the mail server wants it, not both")
if EMAIL_HOST and "@" not in DEFAULT_FROM_EMAIL:
    raise ValueError("EMAIL_FROM must be the address that mails come from, such as tiebreak@example.org")
if EMAIL_HOST and not SITE_URL.startswith(("http://", "https://")):
    raise ValueError("SITE_URL must be where people open Tiebreak, such as https://tiebreak.example.org")

# One that was not taken by the time of the next is of no use any more.
CELERY_BEAT_SCHEDULE = {
    task: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for task, seconds in {
        "jobs.reap": JOB_REAP_SECONDS,
        "jobs.delete_old_logs": 3600,
        "annotation.delete_old_uploads": 3600,
        "judging.delete_old_tournament_files": 3600,
        **({"annotation.send_mail": 30} if EMAIL_HOST else {}),
    }.items()
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "filters": {
        "no_rounds": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: not str(record.msg).startswith("Scheduler: Sending due task"),
        }
    },
    # A line for every round of the reaper would bury the rest; jobs keep records and logs of their own.
    "loggers": {name: {"level": "WARNING"} for name in ("celery.app.trace", "celery.worker.strategy")}
    | {"celery.beat": {"filters": ["no_rounds"]}},
    "root": {"handlers": ["console"], "level": env.log_level("LOG_LEVEL", "INFO")},
}
