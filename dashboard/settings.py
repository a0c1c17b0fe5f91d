"""Django's settings. What may differ between two installations comes from the environment (see dashboard.env)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.functional import SimpleLazyObject
from django.utils.log import CallbackFilter

from dashboard import env
from dashboard.parts import addresses
from dashboard.secret import kept_secret

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = env.folder("CHOREOSCOPE_VAR", BASE_DIR / "var")

# --- The web application -------------------------------------------------------------------------------------------
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", least=32) or kept_secret(VAR / "secret_key")
ENCRYPTION_KEY = env.secret("CHOREOSCOPE_ENCRYPTION_KEY", least=32) or SECRET_KEY
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [f"https://{'*' if host.startswith('.') else ''}{host}" for host in ALLOWED_HOSTS if host != "*"]
PORT = env.port("PORT", default=8000)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "ninja",
    "collector",
    "dashboard",
    "dashboard.alerts",
    "dashboard.notifying",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "dashboard.security.ContentSecurityPolicy",
    "dashboard.static_files.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.accounts.access.Access",
    "dashboard.times.TimeZone",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.folder("CHOREOSCOPE_TEMPLATES", default=VAR / "templates")],  # the operator's own come first
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.accounts.access.context",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
CSRF_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Static files ----------------------------------------------------------------------------------------------------
# `collectstatic` (which `manage.py demo` runs, too) gives them hashed names, to be cached for ever; until it has run,
# they are served from where they lie.
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").is_file()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "dashboard.static_files.StaticFiles"},
}

# --- The parts: each is the embedded one unless the environment names another ----------------------------------------
EMBEDDED_DATABASE = {"ENGINE": "dashboard.parts.database", **addresses.embedded_database(VAR)}
GIVEN_DATABASE = env.database("DATABASE_URL")
DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "dashboard.database", **GIVEN_DATABASE} if GIVEN_DATABASE else EMBEDDED_DATABASE
}
# Views run in a pool of threads: connections are pooled for all of them (persistent ones would belong to a thread each
# and outlive it). A connection that the server has closed meanwhile is replaced unnoticed.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 5,
    **DATABASES["default"]["OPTIONS"],
    "pool": {"min_size": 0, "max_size": 10, "timeout": 10, "num_workers": 1},
}

KAFKA = SimpleLazyObject(
    lambda: addresses.kafka(VAR, env.bootstrap_servers("KAFKA_BOOTSTRAP_SERVERS"), env.kafka_properties())
)

SCHEMA_REGISTRY = SimpleLazyObject(
    lambda: env.schema_registry("SCHEMA_REGISTRY_URL") or addresses.embedded_registry(VAR)
)

REDIS_URL = env.url("REDIS_URL", {"redis", "rediss", "unix"}) or addresses.embedded_redis(VAR)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "choreoscope"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "choreoscope",
    }
}

# --- Work in the background -----------------------------------------------------------------------------------------
# A message is only a hint that there may be work, and nobody waits for a result: late ones expire, none has a result.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": "choreoscope."}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "collector.tasks.sweep": {"queue": "sweep"},
    "dashboard.notifying.tasks.*": {"queue": "notifications"},  # others' servers may be slow
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "collector.tasks.sweep", "schedule": 0.25, "options": {"expires": 1}},
    "alerts": {"task": "dashboard.alerts.tasks.process", "schedule": 1.0, "options": {"expires": 1}},
    "deliver": {"task": "dashboard.notifying.tasks.deliver", "schedule": 1.0, "options": {"expires": 1}},
    "heartbeat": {"task": "dashboard.notifying.tasks.heartbeat", "schedule": 10.0, "options": {"expires": 10}},
    "announce": {"task": "collector.tasks.announce", "schedule": 1.0, "options": {"expires": 1}},
    "mine": {"task": "collector.tasks.mine", "schedule": 5.0, "options": {"expires": 5}},
    "learn": {"task": "collector.tasks.learn", "schedule": 20.0, "options": {"expires": 20}},
    "watch-groups": {"task": "collector.tasks.watch_groups", "schedule": 60.0, "options": {"expires": 60}},
    "look-ahead": {"task": "dashboard.tasks.look_ahead", "schedule": 60.0, "options": {"expires": 60}},
    "upkeep": {"task": "collector.tasks.upkeep", "schedule": 600.0, "options": {"expires": 600}},
    "forget": {"task": "dashboard.tasks.upkeep", "schedule": 600.0, "options": {"expires": 600}},
}

# --- Choreoscope ------------------------------------------------------------------------------------------------------
CHOREOSCOPE_CONFIG = env.file("CHOREOSCOPE_CONFIG", default=BASE_DIR / "choreoscope.yaml")
DEMO_CONTROL_URL = env.url("DEMO_CONTROL_URL", {"http"}).rstrip("/")
# Without a login strangers see nothing; with `read`, as in the demo, they see all and change nothing.
ACCESS = env.choice("CHOREOSCOPE_ACCESS", ("login", "read"), default="read" if DEMO_CONTROL_URL else "login")
COLLECTOR_METRICS_PORT = env.optional_port("COLLECTOR_METRICS_PORT")

# --- Logging ----------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"), default="text")
LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"text": {"()": "collector.health.logs.Text"}, "json": {"()": "collector.health.logs.Json"}},
    # That a service is not ready is an answer to whoever asked, each second perhaps, and no error of ours.
    "filters": {"errors": {"()": CallbackFilter, "callback": lambda record: getattr(record, "status_code", 0) != 503}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": LOG_FORMAT,
            "filters": ["errors"],
        }
    },
    "root": {"handlers": ["stdout"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "uvicorn": {"handlers": [], "level": "WARNING", "propagate": True},
        "uvicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},
        "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": False},
        # One line per task and second would drown all else.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
    },
}
