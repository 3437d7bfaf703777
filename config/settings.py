"""How the site is put together. One file, read top to bottom; every switch comes from the environment."""

from csp.constants import NONCE, NONE, SELF

from config import env

BASE_DIR = env.BASE_DIR
DATA_DIR = env.data_dir()

# What this is ------------------------------------------------------------------------------------------------
VERSION = "0.2.0"
INTENDED_USE = (
    "This registry stores and calculates follow-up data of people treated with mesenchymal stromal cells. "
    "It does not diagnose, predict or advise; clinical decisions rest with the treating physician."
)

# Secrets and debugging ---------------------------------------------------------------------------------------
SECRET_KEY = env.secret("SECRET_KEY", DATA_DIR)
FIELD_KEYS = env.secret("FIELD_KEYS", DATA_DIR, make=env.new_key).split(",")  # first encrypts, all decrypt
AUDIT_KEY = env.secret("AUDIT_KEY", DATA_DIR)
ANCHOR_FILE = env.text("ANCHOR_FILE", str(DATA_DIR / "anchors" / "trail.jsonl"))
DEBUG = env.flag("DEBUG", default=False)

PORT = env.number("PORT", 8000)
SITE_URL = env.text("SITE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
_site = env.site(SITE_URL, debug=DEBUG)
ALLOWED_HOSTS = sorted({_site.hostname or "127.0.0.1", "127.0.0.1", "localhost"})
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]

# Parts -------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "django_filters",
    "csp",
    "registry.audit",
    "registry.access",
    "registry.backups",
    "registry.signin",
    "registry.signatures",
    "registry.exchange",
    "registry.patients",
    "registry.trail",
    "registry.handover",
    "registry.products",
    "registry.infusions",
    "followup.schedule",
    "followup.plans",
    "followup.labs",
    "followup.treatment",
    "followup.safety",
    "followup.neoplasia",
    "followup.reminders",
    "followup.reports",
    "followup.copies",
    "followup.desk",
    "config",
    "import_export",  # after ours: its own `export` command must not take the place of the registry's
]

MIDDLEWARE = [
    "config.hygiene.headers",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.hygiene.expected_requests",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "registry.signin.middleware.known_browser",
    "registry.signin.middleware.session_limits",
    "registry.access.middleware.sign_in_required",
    "registry.signin.middleware.second_factor_required",
    "registry.signatures.middleware.LockedRecords",
    "registry.audit.middleware.Acting",
    "registry.handover.middleware.opened_record",
    "registry.signatures.middleware.judge_signatures",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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
                "csp.context_processors.nonce",
                "config.context.page",
            ],
            "libraries": {"ui": "config.templatetags.registry_ui"},
            "builtins": ["config.templatetags.registry_ui"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Data --------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.database(env.text("DATABASE_URL"), DATA_DIR)}
REDIS_URL = env.text("REDIS_URL")
# Sign-in throttles must be shared by all processes, so never a per-process cache.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # entries pushed out early would be guesses forgotten
    }
}

# Backups: off until there is a folder for them -----------------------------------------------------------------
BACKUP_DIR = env.text("BACKUP_DIR")
BACKUP_HOURS = env.number("BACKUP_HOURS", 24)
BACKUP_KEEP = env.number("BACKUP_KEEP", 14)
BACKUP_PASSPHRASE_FILE = env.text("BACKUP_PASSPHRASE_FILE")

# Work in the background --------------------------------------------------------------------------------------
SWEEP_SECONDS = env.number("SWEEP_SECONDS", 300)
CELERY_BROKER_URL = REDIS_URL or f"sqla+sqlite:///{DATA_DIR / 'broker.sqlite3'}"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

vars().update(env.email(env.text("EMAIL_URL"), DATA_DIR))
DEFAULT_FROM_EMAIL = env.text("FROM_EMAIL", "registry@localhost")

# People ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "registry.signin.adapters.StaffAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PRESERVE_USERNAME_CASING = False
# Wrong passwords and codes are counted in registry/signin.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 1 if _site.scheme == "https" else 0)
# A second factor for everybody who may see names and contacts.
REQUIRE_MFA = env.flag("REQUIRE_MFA", default=True)
MFA_ADAPTER = "registry.signin.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
PASSWORD_RESET_TIMEOUT = 24 * 3600  # a link for a new password
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
]
IDLE_MINUTES = 15
ABSOLUTE_HOURS = 12

# A person's rights -------------------------------------------------------------------------------------------
PERSON_COPY_DAYS = env.number("PERSON_COPY_DAYS", 14)  # then the file is removed; it can be made again
IDENTIFIED_EXPORTS_PER_DAY = env.number("IDENTIFIED_EXPORTS_PER_DAY", 2)  # for each person
ERASURE_ALONE_HOURS = env.number("ERASURE_ALONE_HOURS", 72)  # where nobody else may carry an erasure out
TRACEABILITY_YEARS = env.number("TRACEABILITY_YEARS", 30)  # product to patient, after the last infusion

# The browser -------------------------------------------------------------------------------------------------
_tls = _site.scheme == "https"
SESSION_ENGINE = "registry.signin.sessions"
SESSION_COOKIE_NAME = "__Host-session" if _tls else "session"
KNOWN_COOKIE_NAME = "__Host-known" if _tls else "known"  # a browser in which somebody signed in before
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _tls
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = ABSOLUTE_HOURS * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "__Host-csrf" if _tls else "csrftoken"
CSRF_COOKIE_AGE = None  # gone with the browser, like the session
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = _tls  # the proxy says in X-Forwarded-Proto how it was asked
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]  # asked on this machine, past the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _tls else None
SECURE_HSTS_SECONDS = 31_536_000 if _tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _tls
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}

# Files and pages ---------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
WHITENOISE_USE_FINDERS = True  # served from the checkout: no collect step, nothing copied
WHITENOISE_AUTOREFRESH = DEBUG
UPLOAD_MAX_BYTES = 50 * 1024 * 1024
UPLOAD_MAX_ROWS = 200_000
UPLOAD_MAX_COLUMNS = 100
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
FILE_UPLOAD_TEMP_DIR = str(DATA_DIR)

# Time and words ----------------------------------------------------------------------------------------------
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en-gb"
USE_I18N = False

# Logs carry ids only -----------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"registry": {"level": "INFO"}, "followup": {"level": "INFO"}, "celery": {"level": "WARNING"}},
}
