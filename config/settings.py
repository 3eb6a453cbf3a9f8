"""Django settings, all read from the environment.

A missing or odd value refuses to start and names the variable (environs); each variable NAME may also come
from a file named by NAME_FILE. `.env.example` lists them all. The embedded stack (`config.stack`) sets the
ones that name servers.
"""

import hmac
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config as BotocoreConfig
from environs import FileAwareEnv
from marshmallow.validate import Length, OneOf, Range, Regexp
from psycopg.conninfo import conninfo_to_dict

from config import logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = FileAwareEnv(eager=True)

# --- The process ---
SECRET_KEY = env.str("SECRET_KEY", validate=Length(min=32))
DEBUG = env.bool("DEBUG", False)
# Test-only doors (clock offset, crash points): a system check refuses them outside DEBUG.
TEST_DOORS = env.bool("TEST_DOORS", False)
# Origins of this machine that outgoing requests may reach: the embedded stack's, refused outside DEBUG.
EMBEDDED_ORIGINS: list[str] = env.list("EMBEDDED_ORIGINS", [])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1"])
# Where vendors and browsers reach us: callback URLs and links in e-mails start with it.
PUBLIC_URL = env.str("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
APP_ORIGIN = env.str("APP_ORIGIN", "http://localhost:3000").rstrip("/")

# --- HTTPS: by default everywhere but on a developer's machine ---
HTTPS = env.bool("HTTPS", not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
# A load balancer asks these from inside.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Only behind a proxy that sets this header itself and drops a client's.
if env.bool("TRUST_FORWARDED_PROTO", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "workers",
    "accounts",
    "credits",
    "providers",
    "generations",
    "pipeline",
    "config.apps.ConfigConfig",
]

MIDDLEWARE = [
    "config.logs.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps': the admin's first page is ours.
        "DIRS": [BASE_DIR / "config" / "templates"],
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

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Video backend",
    "SITE_HEADER": "Video backend",
    "SITE_SYMBOL": "movie",
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "config.dashboard.context",
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = logs.configuration(
    env.str("LOG_LEVEL", "INFO", validate=OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
)

# What a worker process serves; empty in every other process.
WORKER_QUEUE = env.str("WORKER_QUEUE", "", validate=OneOf(["", "io", "slow", "media"]))

# --- PostgreSQL: the record ---
_database = conninfo_to_dict(env.str("DATABASE_URL"))
_pool = {
    "min_size": 0,
    # The most connections one process may hold.
    "max_size": env.int("DATABASE_POOL_SIZE", 10, validate=Range(min=1, max=100)),
    # Within the time that a request may take while the server is away.
    "timeout": 1.5,
    "max_idle": 60,
}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.get("dbname", "postgres"),
        "USER": _database.get("user", ""),
        "PASSWORD": _database.get("password", ""),
        "HOST": _database.get("host", ""),
        "PORT": str(_database.get("port", "")),
        # An empty statement as a connection leaves the pool: after a restart of the server each would fail once.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 2,
            "options": (
                "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s"
            ),
            # Forked processes: a pool doesn't survive the fork, and Celery closes it around every task.
            "pool": False if WORKER_QUEUE == "media" else _pool,
        },
    },
}

# --- Redis: the doorbell ---
REDIS_URL = env.str("REDIS_URL")

# --- Work ---
# Threads per queue and process.
WORKER_THREADS = {
    "io": env.int("WORKER_IO_THREADS", 200, validate=Range(min=1, max=1000)),
    "slow": env.int("WORKER_SLOW_THREADS", 20, validate=Range(min=1, max=200)),
    "media": 1,
}

# --- S3: the store ---
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL")
S3_ACCESS_KEY_ID = env.str("S3_ACCESS_KEY_ID")
S3_SECRET_ACCESS_KEY = env.str("S3_SECRET_ACCESS_KEY")
S3_BUCKET = env.str("S3_BUCKET")
S3_REGION = env.str("S3_REGION", "auto")

# --- Providers: one with an empty setting is listed, but unavailable ---
SANDBOX_URL = env.str("SANDBOX_URL", "").rstrip("/")
SANDBOX_API_KEY = env.str("SANDBOX_API_KEY", "")
# More than one, separated by commas, while a secret rotates.
SANDBOX_WEBHOOK_SECRET = env.str("SANDBOX_WEBHOOK_SECRET", "")
# What else a vendor's adapter reads: its own settings, named by its `settings` and `optional`.
ENVIRONMENT = env
# Adapters that are not part of this project, by name: {"acme": "acme_video.AcmeProvider"}
MORE_VIDEO_PROVIDERS: Any = env.json("MORE_VIDEO_PROVIDERS", {})
# What each of our accounts at a vendor may do, in all and with one model, over the catalogue's facts:
# {"runway": {"concurrent": 20, "per_minute": 60}, "runway/gen4.5": {"concurrent": 5, "per_day": 1000}}
PROVIDER_LIMITS: Any = env.json("PROVIDER_LIMITS", {})
# What each of our accounts at a vendor may spend, in USD, by the vendor's own count or the rate card's; above it
# nothing is submitted: {"luma": {"day": 20, "month": 300}}
PROVIDER_BUDGETS: Any = env.json("PROVIDER_BUDGETS", {})
# Below this balance there an alarm is raised, in the currency that the vendor counts in: {"luma": 25}
LOW_BALANCES: Any = env.json("LOW_BALANCES", {})
LOW_BALANCE = env.decimal("LOW_BALANCE", Decimal(10), validate=Range(min=0))
# Further accounts at a vendor, by name, with what differs: {"luma": {"second": {"LUMA_API_KEY": "…"}}}
PROVIDER_ACCOUNTS: Any = env.json("PROVIDER_ACCOUNTS", {})

STORAGES = {
    "default": {
        "BACKEND": "generations.storage.ObjectStorage",
        "OPTIONS": {
            "access_key": S3_ACCESS_KEY_ID,
            "secret_key": S3_SECRET_ACCESS_KEY,
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL,
            "region_name": S3_REGION,
            "default_acl": None,
            "querystring_auth": True,
            # Keys carry the fence of their writer: nobody writes another's, so nobody need ask first.
            "file_overwrite": True,
            # R2: SigV4 by path, no checksum trailers, equal parts of an upload.
            "client_config": BotocoreConfig(
                region_name=S3_REGION,
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "total_max_attempts": 1},
                connect_timeout=2,
                read_timeout=15,
                max_pool_connections=50,
            ),
            "transfer_config": TransferConfig(
                multipart_threshold=64 * 2**20, multipart_chunksize=64 * 2**20, max_concurrency=4
            ),
        },
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# mirror: videos are copied to our store; link: only the vendor's own URL is kept, encrypted.
OUTPUT_STORAGE = env.str("OUTPUT_STORAGE", "mirror", validate=OneOf(["mirror", "link"]))
# The first encrypts columns, all decrypt: put a new one first to change it.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", [SECRET_KEY])
SCRATCH_DIR = env.str("SCRATCH_DIR", str(BASE_DIR / ".stack" / "scratch"))
# Who signs the content credentials of videos: PEM files, the signer's certificate first, then its issuers. With
# neither, a test certificate that is made from SECRET_KEY.
C2PA_CERTIFICATE_CHAIN = env.str("C2PA_CERTIFICATE_CHAIN", "")
C2PA_PRIVATE_KEY = env.str("C2PA_PRIVATE_KEY", "")
C2PA_ALGORITHM = env.str(
    "C2PA_ALGORITHM",
    "es256",
    validate=OneOf(["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"]),
)
# A time-stamp authority (RFC 3161) that is asked at each signing: what it signed holds when the certificate has lapsed.
C2PA_TIMESTAMP_URL = env.str("C2PA_TIMESTAMP_URL", "")
MAX_OUTPUT_BYTES = env.int("MAX_OUTPUT_BYTES", 1_000_000_000, validate=Range(min=1_000_000))
# Of finished films: the short side in pixels, and how hard x264 tries.
FILM_SHORT_SIDE = env.int("FILM_SHORT_SIDE", 1080, validate=Range(min=90, max=2160))
FILM_PRESET = env.str(
    "FILM_PRESET", "medium", validate=OneOf(["ultrafast", "veryfast", "fast", "medium", "slow"])
)
VIDEOS_KEPT = timedelta(days=env.int("VIDEOS_KEPT_DAYS", 7, validate=Range(min=1)))
UPLOADS_KEPT = timedelta(days=env.int("UPLOADS_KEPT_DAYS", 7, validate=Range(min=1)))
# Bytes go this long after an asset became unreadable, so that no download is cut off.
EXPIRY_GRACE = timedelta(minutes=15)

# --- Generations ---
QUOTE_VALID = timedelta(minutes=env.int("QUOTE_MINUTES", 15, validate=Range(min=1)))
QUOTES_KEPT = timedelta(days=env.int("QUOTES_KEPT_DAYS", 1, validate=Range(min=1)))
IDEMPOTENCY_KEYS_KEPT = timedelta(days=env.int("IDEMPOTENCY_KEYS_KEPT_DAYS", 7, validate=Range(min=1)))
WEBHOOKS_KEPT = timedelta(days=env.int("WEBHOOKS_KEPT_DAYS", 30, validate=Range(min=1)))
# Jobs that wait in all; above it a create is refused with 503.
QUEUE_LIMIT = env.int("QUEUE_LIMIT", 10_000, validate=Range(min=1))
QUEUE_FULL_RETRY_AFTER = env.int("QUEUE_FULL_RETRY_AFTER_SECONDS", 60, validate=Range(min=1))
# A submission whose answer was lost is looked up this often and for so long; then its credits go back.
RECONCILE_EVERY = timedelta(seconds=env.int("RECONCILE_EVERY_SECONDS", 5, validate=Range(min=1)))
RECONCILE_WITHIN = timedelta(seconds=env.int("RECONCILE_WITHIN_SECONDS", 900, validate=Range(min=10)))
# A vendor that renders longer is given up.
RENDER_DEADLINE = timedelta(seconds=env.int("RENDER_DEADLINE_SECONDS", 3600, validate=Range(min=10)))
# How long a model's or a vendor's renders take, in seconds, until there were a few, where the catalogue is far off:
# {"runway/gen4.5": 40}
EXPECTED_SECONDS: Any = env.json("EXPECTED_SECONDS", {})
# Seconds between polls of a render whose vendor is expected to call us.
SAFETY_POLL_SECONDS = env.float("SAFETY_POLL_SECONDS", 30.0, validate=Range(min=1))
# How long a clip waits for a vendor that says it is busy.
BUSY_FOR = timedelta(seconds=env.int("BUSY_FOR_SECONDS", 6 * 3600, validate=Range(min=10)))
# Links by which vendors fetch inputs outlive their queues.
INPUT_URL_VALID = timedelta(hours=6)
# Whether a clip that a model's content policy refused is asked of the next model.
FALLBACK_AFTER_MODERATION = env.bool("FALLBACK_AFTER_MODERATION", False)
# A callable that takes a prompt and says whether it is allowed.
MODERATOR = env.str("MODERATOR", "generations.guards.local_rules")
MODERATION_WORDS: list[str] = env.list("MODERATION_WORDS", [])

# --- Language models ---
# A vendor without a key is not asked; with none the rules do what they can.
GROQ_API_KEY = env.str("GROQ_API_KEY", "")
GEMINI_API_KEY = env.str("GEMINI_API_KEY", "")
XAI_API_KEY = env.str("XAI_API_KEY", "")
# Other addresses of the same APIs; the vendors' own where empty.
GROQ_BASE_URL = env.str("GROQ_BASE_URL", "")
GEMINI_BASE_URL = env.str("GEMINI_BASE_URL", "")
XAI_BASE_URL = env.str("XAI_BASE_URL", "")
# Who plans and chats, and who looks at pictures: the first one first, ids of providers.catalogue.language.
LANGUAGE_MODELS: list[str] = env.list(
    "LANGUAGE_MODELS",
    ["groq/openai/gpt-oss-120b", "gemini/gemini-3.8-flash", "xai/grok-4-1-fast-non-reasoning"],
)
VISION_MODELS: list[str] = env.list(
    "VISION_MODELS",
    ["gemini/gemini-3.8-flash", "groq/qwen/qwen3.8-27b", "xai/grok-4-1-fast-non-reasoning"],
)
TRANSCRIPTION_MODEL = env.str("TRANSCRIPTION_MODEL", "groq/whisper-large-v3-turbo")

# --- Sounds: voices, effects and music ---
ELEVENLABS_API_KEY = env.str("ELEVENLABS_API_KEY", "")
# Another address of the same API, and who speaks where nobody is named (a name or an id); the vendor's own where empty.
ELEVENLABS_URL = env.str("ELEVENLABS_URL", "")
ELEVENLABS_VOICE = env.str("ELEVENLABS_VOICE", "")
FAL_API_KEY = env.str("FAL_API_KEY", "")
FAL_URL = env.str("FAL_URL", "")
# MMAudio's weights are CC-BY-NC 4.0: a key alone does not switch it on.
MMAUDIO_LICENCE_ACCEPTED = env.bool("MMAUDIO_LICENCE_ACCEPTED", False)
# Who makes each kind of sound: the first one whose vendor is configured, ids of providers.catalogue.sound.
SOUND_MODELS: list[str] = env.list(
    "SOUND_MODELS",
    [
        "elevenlabs/eleven_multilingual_v2",
        "elevenlabs/eleven_text_to_sound_v2",
        "elevenlabs/music_v1",
        "mmaudio/v2",
        "sandbox/voice",
        "sandbox/effects",
        "sandbox/music",
    ],
)

# --- Users and sign-in ---
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.str(
    "ACCOUNT_EMAIL_VERIFICATION", "mandatory", validate=OneOf(["mandatory", "optional", "none"])
)
# Only in the session that signed up, so the link alone signs nobody in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
# Ours count in one atomic step and work without Redis: accounts.throttles.
ACCOUNT_RATE_LIMITS = False
# Where the admin's own sign-in leads.
LOGIN_REDIRECT_URL = "/admin/"
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ("app",)
HEADLESS_FRONTEND_URLS = {
    "account_signup": f"{APP_ORIGIN}/signup",
    "account_confirm_email": f"{APP_ORIGIN}/verify-email/{{key}}",
    "account_reset_password": f"{APP_ORIGIN}/password/reset",
    "account_reset_password_from_key": f"{APP_ORIGIN}/password/reset/{{key}}",
}
HEADLESS_TOKEN_STRATEGY = "accounts.tokens.TokenStrategy"
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_PRIVATE_KEY = (
    env.str("JWT_KEY", "", validate=Length(min=32))
    # A key of its own, so that a token of one use is never one of another.
    or hmac.digest(SECRET_KEY.encode(), b"access tokens", "sha256").hex()
)
JWT_ISSUER = PUBLIC_URL
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = env.int("ACCESS_TOKEN_SECONDS", 300, validate=Range(min=30, max=900))
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = SESSION_COOKIE_AGE = env.int(
    "REFRESH_TOKEN_SECONDS", 14 * 86400, validate=Range(min=300, max=90 * 86400)
)
# Signing out is effective at once: the session is looked up with the user, in one statement.
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True

# Supabase: tokens of this issuer are taken too. With the secret, the legacy HS256 ones; without, those signed by
# the project's published keys. The publishable API key lets us ask whether an e-mail is confirmed.
SUPABASE_ISSUER = env.str("SUPABASE_ISSUER", "").rstrip("/")
SUPABASE_JWT_SECRET = env.str("SUPABASE_JWT_SECRET", "", validate=Length(min=32))
SUPABASE_API_KEY = env.str("SUPABASE_API_KEY", "")
SUPABASE_ALLOW_ANONYMOUS = env.bool("SUPABASE_ALLOW_ANONYMOUS", False)

# JSON over the defaults of accounts.tiers: {"free": {"running_jobs": 5}}.
TIERS = env.json("TIERS", {})
# Requests a minute of one address with no account; of sign-in, per address a minute and per e-mail in 5 minutes.
RATE_PER_ADDRESS = env.int("RATE_PER_ADDRESS", 120, validate=Range(min=1))
RATE_SIGN_IN_PER_ADDRESS = env.int("RATE_SIGN_IN_PER_ADDRESS", 30, validate=Range(min=1))
RATE_SIGN_IN_PER_EMAIL = env.int("RATE_SIGN_IN_PER_EMAIL", 10, validate=Range(min=1))

# How long the event log goes back.
EVENTS_KEPT = timedelta(days=env.int("EVENTS_KEPT_DAYS", 90, validate=Range(min=1)))

# --- E-mail ---
# Without a server, DEBUG writes mails to EMAIL_FOLDER, or to the console.
EMAIL_HOST = env.str("EMAIL_HOST", "") if DEBUG else env.str("EMAIL_HOST")
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "Video <noreply@localhost>")
EMAIL_FILE_PATH = env.str("EMAIL_FOLDER", "")
EMAIL_BACKEND = "django.core.mail.backends." + (
    "smtp.EmailBackend"
    if EMAIL_HOST
    else "filebased.EmailBackend"
    if EMAIL_FILE_PATH
    else "console.EmailBackend"
)

# --- Credits ---
# What one credit is worth, in CREDIT_CURRENCY (ISO 4217), and what a vendor's dollar costs.
CREDIT_VALUE = env.decimal("CREDIT_VALUE", Decimal(50), validate=Range(min=Decimal("0.000001")))
CREDIT_CURRENCY = env.str("CREDIT_CURRENCY", "IDR", validate=Regexp("^[A-Z]{3}$"))
USD_TO_IDR = env.decimal("USD_TO_IDR", Decimal(16_500), validate=Range(min=Decimal(1)))
# Free credits on joining, once per identity.
SIGNUP_CREDITS = env.int("SIGNUP_CREDITS", 20_000 if DEBUG else 0, validate=Range(min=0))
# Whether a model whose rate card is below its vendor's cost is not sold; otherwise it is a warning.
PRICING_REFUSE_BELOW_COST = env.bool("PRICING_REFUSE_BELOW_COST", False)

# --- The API ---
REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.ApiKeyAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttles.RequestThrottle"],
    # How many proxies of our own stand before us: what `X-Forwarded-For` says further left is the client's word.
    "DEFAULT_PAGINATION_CLASS": "accounts.api.pagination.NewestFirst",
    "EXCEPTION_HANDLER": "config.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "config.openapi.Operation",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "NUM_PROXIES": env.int("TRUSTED_PROXY_COUNT", 0, validate=Range(min=0, max=10)),
}
SPECTACULAR_SETTINGS: dict[str, object] = {
    "TITLE": "Video generation",
    "DESCRIPTION": "From a prompt, or a sample video, to a finished video.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # Served by us, so that the page works without the outside world.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.add_refusals",
        "accounts.api.schema.add_sign_in",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "AssetKind": "generations.models.AssetKind",
        "AssetOrigin": "generations.models.assets.AssetOrigin",
        "AssetState": "generations.models.AssetState",
        "AttemptState": "generations.models.AttemptState",
        "GenerationStatus": "generations.models.GenerationStatus",
        "ProjectState": "generations.models.ProjectState",
        "Mode": "providers.contract.Mode",
        "CancelOutcome": "generations.cancellation.CancelResult",
        "GenerationStage": "generations.api.serializers.GENERATION_STAGES",
        "WorkStage": "pipeline.api.serializers.WORK_STAGES",
        "JobState": "workers.models.JobState",
        "PlanAuthor": "pipeline.models.Author",
        "RenderStatus": "pipeline.models.RenderStatus",
        "RenderStage": "pipeline.api.render_representation.RENDER_STAGES",
        # A sound's states are the same.
        "FilmPartState": "pipeline.models.SegmentState",
        "SegmentStage": "pipeline.api.render_representation.SEGMENT_STAGES",
        "SoundKind": "providers.catalogue.sound.SoundKind",
        "EditStage": "pipeline.api.video_edit_serializers.EDIT_STAGES",
    },
}
