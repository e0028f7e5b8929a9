"""Django settings, read from the environment where hosts differ. An invalid value stops the start and is named.

Without DATABASE_URL the program runs *embedded*: SQLite, message broker and secret key live in one folder, `var/`, and
it serves plain HTTP on this machine. With DATABASE_URL it runs in *production*: a secret key and the allowed hosts are
required, HTTPS is enforced and static files are collected.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from billing.guessing import bits_of
from config.folder import BASE as BASE
from config.folder import var_folder
from config.navigation import UNFOLD as UNFOLD

YES = ("1", "true", "yes", "on")
NO = ("0", "false", "no", "off")


def envstr(name: str, default: str | None = None) -> str:
    value = os.environ.get(name) or default
    if value is None:
        raise ImproperlyConfigured(f"{name} must be set.")
    return value


def envbool(name: str, default: bool) -> bool:
    value = os.environ.get(name)
    if not value:
        return default
    if value.lower() not in YES + NO:
        raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no: use 1 or 0.")
    return value.lower() in YES


def envint(name: str, default: int, *, least: int = 0) -> int:
    value = os.environ.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and int(value) >= least):
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of {least or 'zero'} or more.")
    return int(value)


def envlist(name: str, default: list[str] | None = None) -> list[str]:
    """Read a comma-separated list. Without a default, at least one entry is required."""
    values = [entry.strip() for entry in os.environ.get(name, "").split(",") if entry.strip()]
    if not values and default is None:
        raise ImproperlyConfigured(f"{name} must be set: one or more values, separated by commas.")
    return values or default or []


def envnetworks(name: str) -> list[IPv4Network | IPv6Network]:
    """Read comma-separated addresses and networks, such as ``10.0.0.0/8``. Empty by default."""
    try:
        return [ip_network(entry) for entry in envlist(name, default=[])]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a list of addresses and networks: {error}.") from error


def envmap(name: str) -> dict[str, str]:
    """Read comma-separated pairs such as ``a=1,b=2``. Empty by default."""
    pairs = [entry.partition("=") for entry in envlist(name, default=[])]
    if any(not (key.strip() and value.strip()) for key, _, value in pairs):
        raise ImproperlyConfigured(f"{name} must be a list of pairs, such as a=1,b=2.")
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def stored_secret(path: Path) -> str:
    """Return the secret stored at `path`, creating it if there is none.

    The secret is written to another file and then linked into place: of several processes that start at once, one wins
    and all read the same, complete secret.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


# 50 random characters have about 300 bits of entropy; words, rows of letters and repetitions have few.
LEAST_BITS_OF_SECRET = 128


def require_safety(
    *, secret_key: str, debug: bool, allowed_hosts: list[str], dialect_hosts: Iterable[str], broker: str
) -> None:
    """Stop the start of a production server with settings that are insecure or would lose work."""
    if len(secret_key) < 50 or bits_of(secret_key) < LEAST_BITS_OF_SECRET or secret_key.startswith("django-insecure-"):
        raise ImproperlyConfigured("SECRET_KEY can be guessed: use 50 or more random characters.")
    if debug:
        raise ImproperlyConfigured("DEBUG=1 shows the code and its data to everybody: unset it in production.")
    if any("*" in host for host in allowed_hosts):
        raise ImproperlyConfigured("ALLOWED_HOSTS accepts any host with *: name the hosts that are served.")
    if any("*" in host or host.startswith(".") for host in dialect_hosts):
        raise ImproperlyConfigured("DIALECT_HOSTS accepts more than one host with * or a leading dot: name each host.")
    if not broker:
        raise ImproperlyConfigured("CELERY_BROKER_URL must be set, such as redis://host:6379/0.")
    # A folder is accepted: it is a valid broker for processes on one host, and there may be only one.
    if urlsplit(broker).scheme == "memory":
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL names a broker that lives in one process: use redis:// or rediss://."
        )


def keep_private(folder: Path) -> None:
    """Restrict a folder and its files to their owner, including files created earlier with wider permissions."""
    os.umask(0o077)
    for path in (folder, *folder.iterdir(), *folder.glob("queue/*")):
        # Files of another user can't be changed, and are that user's responsibility.
        with suppress(PermissionError, FileNotFoundError):
            mode = path.lstat().st_mode
            # A folder with the sticky bit is shared on purpose.
            if mode & 0o077 and not mode & stat.S_ISVTX and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & 0o700)


def keep_file_private(path: Path) -> None:
    """Restrict a database file and its WAL files to their owner, creating the database file if there is none."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    # SQLite gives the files that it creates beside a database the permissions of the database file.
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(PermissionError, FileNotFoundError):
            if (mode := one.stat().st_mode) & 0o077:
                one.chmod(stat.S_IMODE(mode) & 0o700)


def database(url: str) -> dict[str, Any]:
    """Return Django's settings for a database URL. Only sqlite and postgres(ql) are accepted."""
    scheme = urlsplit(url).scheme
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise ImproperlyConfigured(f"DATABASE_URL begins with {scheme!r}: use postgres:// or sqlite://.")
    engine = None if scheme == "sqlite" else "billing.storage.postgresql"
    try:
        parsed: dict[str, Any] = {**dj_database_url.parse(url, engine=engine, conn_max_age=60)}
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from error
    if not parsed["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL does not name a database.")
    options = parsed.setdefault("OPTIONS", {})
    if scheme == "sqlite":
        # IMMEDIATE takes the write lock at BEGIN, where waiting is possible: a transaction that reads first and then
        # wants to write fails at once. FULL makes an acknowledged record survive a power cut.
        options["transaction_mode"] = "IMMEDIATE"
        options["timeout"] = 30
        options["init_command"] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
        # A file, because an in-memory database cannot be shared between a test and its threads.
        parsed["TEST"] = {"NAME": str(VAR / "test.sqlite3")}
    else:
        parsed["CONN_HEALTH_CHECKS"] = True
        options.setdefault("connect_timeout", 5)
        # A lost host is given up after about 20 seconds, whether the connection is idle or has data in flight.
        options.setdefault("keepalives_idle", 10)
        options.setdefault("keepalives_interval", 5)
        options.setdefault("keepalives_count", 2)
        options.setdefault("tcp_user_timeout", 20_000)
        if envbool("PREPARED_STATEMENTS", default=True):
            # The statements of usage requests are planned once per connection, not once per request.
            options["server_side_binding"] = True
            options["prepare_threshold"] = 5
    return parsed


VAR = var_folder()
VAR.mkdir(parents=True, exist_ok=True)

EMBEDDED = not os.environ.get("DATABASE_URL")
if EMBEDDED:
    keep_private(VAR)
HTTPS = envbool("HTTPS", default=not EMBEDDED)
STATIC_COLLECTED = envbool("STATIC_COLLECTED", default=not EMBEDDED)

DEBUG = envbool("DEBUG", default=False)
# Host name -> vendor. On its own host a vendor's paths stand at the root, as its clients expect.
DIALECT_HOSTS = envmap("DIALECT_HOSTS")
if EMBEDDED:
    SECRET_KEY = os.environ.get("SECRET_KEY") or stored_secret(VAR / "secret_key")
    ALLOWED_HOSTS = envlist("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
else:
    SECRET_KEY = envstr("SECRET_KEY")
    ALLOWED_HOSTS = envlist("ALLOWED_HOSTS")
    require_safety(
        secret_key=SECRET_KEY,
        debug=DEBUG,
        allowed_hosts=ALLOWED_HOSTS,
        dialect_hosts=DIALECT_HOSTS,
        broker=os.environ.get("CELERY_BROKER_URL", ""),
    )

ALLOWED_HOSTS += list(DIALECT_HOSTS)

DATABASES = {"default": database(envstr("DATABASE_URL", f"sqlite:///{VAR / 'arrears.sqlite3'}"))}
if DATABASES["default"]["ENGINE"].endswith("sqlite3") and not EMBEDDED:
    keep_file_private(Path(DATABASES["default"]["NAME"]))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Statement timeouts on PostgreSQL in seconds, by kind of work; 0: none. See billing/storage/timeouts.py.
REQUEST_STATEMENT_SECONDS = envint("REQUEST_STATEMENT_SECONDS", 15)
CLOSE_STATEMENT_SECONDS = envint("CLOSE_STATEMENT_SECONDS", 300)
JOB_STATEMENT_SECONDS = envint("JOB_STATEMENT_SECONDS", 3600)

INSTALLED_APPS = [
    # unfold's templates and form widgets replace the admin's own, so it stands first.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "billing",
    "usage",
]

MIDDLEWARE = [
    # Before everything that checks the host: a health check addresses the process by IP address.
    "config.health.answer_probes",
    "django.middleware.security.SecurityMiddleware",
    "config.security.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.shares.tell_who_is_logged_in",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "billing.admin.shown.ShowsOneWorkspace",
    "usage.dialects.hosts.dialect_hosts",
]
# The part of it that the APIs need. config/wsgi.py tells their paths from those of pages.
API_MIDDLEWARE = [
    "config.health.answer_probes",
    "config.security.ApiSecurityMiddleware",
    "usage.dialects.hosts.dialect_hosts",
    "django.middleware.common.CommonMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static" if STATIC_COLLECTED else None
WHITENOISE_USE_FINDERS = not STATIC_COLLECTED
# Uploaded usage files wait here for the worker. They are never served.
MEDIA_ROOT = VAR / "uploads"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if STATIC_COLLECTED
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        ),
    },
}
FILE_UPLOAD_PERMISSIONS = 0o600

# Maximum size of a body in bytes: of a page's form, and of an API request before and after it is decompressed.
DATA_UPLOAD_MAX_MEMORY_SIZE = envint("FORM_BODY_BYTES", 5 * 1024 * 1024)
API_BODY_BYTES = envint("API_BODY_BYTES", 1024 * 1024)
# Larger bodies are stored on disk until they are complete.
BODY_SPOOL_BYTES = envint("BODY_SPOOL_BYTES", 64 * 1024)
# After the grace, a body must have arrived at this average rate. A large body may therefore take longer.
BODY_GRACE_SECONDS = envint("BODY_GRACE_SECONDS", 20)
BODY_BYTES_PER_SECOND = max(1, envint("BODY_BYTES_PER_SECOND", 500))
# Maximum number of bodies that one web process receives at a time. One more cancels the oldest.
BODIES_AT_ONCE = max(1, envint("BODIES_AT_ONCE", 1000))
# Request threads of one web process. Each holds a database connection.
WEB_THREADS = max(1, envint("WEB_THREADS", 6))
# Maximum number of one client's requests that wait for a thread of a web worker.
REQUESTS_WAITING = max(1, envint("REQUESTS_WAITING", 100))
# Several times what the panel's largest form has, a price with its tiers. Input beyond the limit is lost.
DATA_UPLOAD_MAX_NUMBER_FIELDS = envint("FORM_FIELDS", 10_000)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Wrong passwords per window: of one address for an account, and of all addresses together. Beyond the second, each
# address has one attempt.
LOGIN_ATTEMPTS = envint("LOGIN_ATTEMPTS", 5, least=1)
LOGIN_ATTEMPTS_PER_ACCOUNT = envint("LOGIN_ATTEMPTS_PER_ACCOUNT", 50, least=1)
LOGIN_WINDOW_MINUTES = envint("LOGIN_WINDOW_MINUTES", 15, least=1)
# Passwords that a web process hashes at once, for strangers and for known browsers each; and how long others wait.
LOGIN_HASHES = envint("LOGIN_HASHES", 1, least=1)
LOGIN_WAIT_SECONDS = envint("LOGIN_WAIT_SECONDS", 2)
# How long a browser is known in which a user has logged in.
LOGIN_DEVICE_DAYS = envint("LOGIN_DEVICE_DAYS", 90)

# How long a submitted form of the panel is remembered, so that submitting it again leads to the first result.
SENT_FORMS_KEPT_DAYS = envint("SENT_FORMS_KEPT_DAYS", 7, least=1)
# Only these proxies are trusted to report a client's address.
TRUSTED_PROXIES = envnetworks("TRUSTED_PROXIES")

SECURE_SSL_REDIRECT = envbool("SSL_REDIRECT", default=HTTPS)
SECURE_HSTS_SECONDS = envint("HSTS_SECONDS", default=365 * 24 * 3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# Browsers keep preloaded names for good, and the whole domain with them, so this needs a deliberate choice.
SECURE_HSTS_PRELOAD = envbool("HSTS_PRELOAD", default=False) and HTTPS
SILENCED_SYSTEM_CHECKS = [] if SECURE_HSTS_PRELOAD else ["security.W021"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_TRUSTED_ORIGINS = envlist("CSRF_TRUSTED_ORIGINS", default=[])
# Only for a host behind a proxy that sets this header itself: otherwise any client could send it.
if envbool("TRUST_PROXY_HEADER", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def caches(url: str) -> dict[str, Any]:
    """Return Django's settings for a cache URL. An empty URL keeps the cache in each process."""
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss"):
        timeouts = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url, "OPTIONS": timeouts}
    if url:
        raise ImproperlyConfigured(f"CACHE_URL begins with {scheme!r}: use redis:// or rediss://.")
    return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


# The cache counts requests for the rate limits. It holds nothing that must not be lost.
CACHES = {"default": caches(envstr("CACHE_URL", ""))}
# Rate limit of API keys without one of their own; 0: none.
REQUESTS_PER_MINUTE = envint("REQUESTS_PER_MINUTE", 0)

# How long the response to an idempotency key is stored and replayed.
STORED_REPLY_DAYS = envint("STORED_REPLY_DAYS", 30)
# Statement timeout of lists on PostgreSQL in seconds, and the maximum offset.
LIST_STATEMENT_SECONDS = envint("LIST_STATEMENT_SECONDS", 2)
LIST_OFFSET = envint("LIST_OFFSET", 1_000_000)
# Maximum number of values in a list's filters; and up to how many lines a list of records uses the lines' own index.
FILTER_VALUES = envint("FILTER_VALUES", 100)
FILTER_LINES = envint("FILTER_LINES", 1000)
# A page by cursor ends early, after the record with which the properties of its records reach this many bytes.
LIST_PAGE_BYTES = envint("LIST_PAGE_BYTES", 1024 * 1024)
# Maximum number of records without their own key in a batch under an idempotency key.
KEYLESS_RECORDS = envint("KEYLESS_RECORDS", 500)

# Our own API refuses usage dated more than this many hours ahead. Usage from other APIs is accepted, and shown as dated
# in the future.
USAGE_AHEAD_HOURS = envint("USAGE_AHEAD_HOURS", 24)

# A start more than this many days in the past or the future needs confirmation: our own API accepts it only with an
# explicit flag.
DISTANT_START_DAYS = envint("DISTANT_START_DAYS", 366)
# An end more than this many days ahead needs confirmation in the panel. The default is ten years.
DISTANT_END_DAYS = envint("DISTANT_END_DAYS", 3653)
# Maximum number of aliases per customer, and per request that creates a customer.
ALIASES_PER_CUSTOMER = envint("ALIASES_PER_CUSTOMER", 1000)
ALIASES_PER_REQUEST = envint("ALIASES_PER_REQUEST", 100)
# Maximum number of lines per subscription, including ended ones.
LINES_PER_SUBSCRIPTION = envint("LINES_PER_SUBSCRIPTION", 1000)
# Maximum number of lines, and of their tiers in total, per request that creates a subscription; and of tiers per price.
LINES_PER_REQUEST = envint("LINES_PER_REQUEST", 100)
TIERS_PER_REQUEST = envint("TIERS_PER_REQUEST", 1000)
TIERS_PER_PRICE = envint("TIERS_PER_PRICE", 100)
# Maximum number of billing periods in one response about a brick's usage, and of buckets in a series.
USAGE_PERIODS = envint("USAGE_PERIODS", 1000)
USAGE_BUCKETS = envint("USAGE_BUCKETS", 1000)
# Maximum number of records per batch.
RECORDS_PER_BATCH = envint("RECORDS_PER_BATCH", 5000, least=1)

# A dialect answers as its vendor does, so each has its own authentication, errors and paging.
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "usage.dialects.shared.openapi.DialectSchema",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Each dialect has its own API description; the check would look for a single one.
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "VERSION": "1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
    "SCHEMA_PATH_PREFIX": "",
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

LOG_LEVEL = envstr("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured(f"LOG_LEVEL={LOG_LEVEL!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"in_a_line": {"()": "config.logs.InALine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["in_a_line"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Django's own handlers write to the console only under DEBUG, and otherwise send mail.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # Silence two lines per task: the schedule sends one every few seconds. Failures are still logged.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}


def broker_options(scheme: str) -> dict[str, Any]:
    """Return kombu's options for a broker's URL scheme. Refuse unsupported schemes."""
    if scheme == "filesystem":
        folders = {"data_folder_in": "messages", "data_folder_out": "messages", "control_folder": "control"}
        for folder in folders.values():
            (VAR / "queue" / folder).mkdir(parents=True, exist_ok=True)
        return {
            **{option: str(VAR / "queue" / folder) for option, folder in folders.items()},
            "store_processed": False,
            "polling_interval": 0.02,
        }
    if scheme in ("redis", "rediss"):
        return {
            # A killed worker's task is redelivered after this long. So is a task that runs longer, which is safe: a job
            # is a row, and claimed.
            "visibility_timeout": 300,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # If Redis is down, a web request has to notice at once and continue without it.
            "socket_connect_timeout": 1,
            "socket_timeout": 2,
            "max_retries": 0,
        }
    if scheme == "memory":
        return {}
    raise ImproperlyConfigured(f"CELERY_BROKER_URL begins with {scheme!r}: use redis://, rediss:// or filesystem://.")


CELERY_BROKER_URL = envstr("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(urlsplit(CELERY_BROKER_URL).scheme)
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A Redis that refuses writes for a while (it became a replica, or has lost its own) answers with a command error, not a
# connection error. The worker retries all the same.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Otherwise the broadcast queue of each former worker would stay in the folder for good.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = urlsplit(CELERY_BROKER_URL).scheme != "filesystem"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat-schedule")
# A task that no worker took before the next one is due expires, so that tasks never pile up.
CELERY_BEAT_SCHEDULE = {
    "close what is due": {"task": "usage.close_due", "schedule": 300, "options": {"expires": 300}},
    "remove old replies": {"task": "usage.expire_replies", "schedule": 3600, "options": {"expires": 3600}},
    "take up stopped jobs": {"task": "usage.sweep", "schedule": 20, "options": {"expires": 20}},
    "count usages": {"task": "usage.count_usages", "schedule": 30, "options": {"expires": 30}},
}

# Limits of one event rule: properties in its filters, and values per property.
EVENT_RULE_FILTERS = envint("EVENT_RULE_FILTERS", 20)
EVENT_RULE_VALUES = envint("EVENT_RULE_VALUES", 100)
# Size of a rule's filters as JSON: lists of bricks show the rules of all.
EVENT_RULE_BYTES = envint("EVENT_RULE_BYTES", 64 * 1024)
# Size of one record's properties as JSON, with numbers written out.
PROPERTIES_BYTES = envint("PROPERTIES_BYTES", 64 * 1024)
# Up to this many unmatched events are matched at once when an alias is added; more are matched by a task.
MATCH_AT_ONCE = envint("MATCH_AT_ONCE", 1000)

# A close run whose workers have not sent a heartbeat for this long is taken over by others.
CLOSE_HEARTBEAT_SECONDS = envint("CLOSE_HEARTBEAT_SECONDS", 60)
# Tasks per close run. Each goes on until no work is left.
CLOSE_WORKERS = envint("CLOSE_WORKERS", 4, least=1)
# /readyz reports the sweep as late if the last one is older than this. One is due every 20 seconds.
SWEEP_LATE_SECONDS = envint("SWEEP_LATE_SECONDS", 120)
# Subscriptions closed per transaction.
CLOSE_BATCH = envint("CLOSE_BATCH", 1000, least=1)
# A subscription with more due periods than this is parked: it probably starts in a distant year by mistake.
CLOSE_MAX_PERIODS = envint("CLOSE_MAX_PERIODS", 120, least=1)
