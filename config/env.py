"""Reads the environment once, fails loudly with a hint, and keeps secrets in 0600 files under DATA_DIR."""

import base64
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no. Use 1 or 0, or leave it unset.")


def number(name: str, default: int) -> int:
    value = text(name)
    if value and not value.isdigit():
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number. Leave it unset for {default}.")
    return int(value) if value else default


def site(url: str, *, debug: bool) -> SplitResult:
    """The one address of this site. Pages answer to its host and to this machine itself, and to nothing else."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.path or parts.query or parts.username:
        raise ImproperlyConfigured(f"SITE_URL={url!r} is not an address like https://registry.example.org.")
    if "*" in host or host.startswith(".") or "*" in text("ALLOWED_HOSTS"):
        raise ImproperlyConfigured(
            "The registry answers to one host, that of SITE_URL. Name it, without * or a leading dot."
        )
    if debug and host not in LOOPBACK:
        raise ImproperlyConfigured(
            f"DEBUG shows the inside of the program, so it is for this machine only, not for {url}."
        )
    return parts


def data_dir() -> Path:
    folder = Path(text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def secret(name: str, folder: Path, *, make: Any = lambda: secrets.token_urlsafe(50)) -> str:
    """From the environment, else from a file made on first start; two starts at once agree on one file."""
    if value := text(name):
        return value
    path = folder / name.lower()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(handle, "w") as file:
        file.write(make())
    return _read_secret(path)


def _read_secret(path: Path) -> str:
    value = path.read_text().strip()
    if not value:
        raise ImproperlyConfigured(
            f"{path} is empty. Restore it from a backup; without it nothing can be read."
        )
    return value


def new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SQLITE_INIT = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA recursive_triggers=ON; "
    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32000; PRAGMA secure_delete=ON;"
)


def database(url: str, folder: Path) -> dict[str, Any]:
    """`postgres://user:password@host:port/name` or `sqlite:///path`; unset means SQLite in DATA_DIR."""
    parts = urlsplit(url or f"sqlite:///{folder / 'registry.sqlite3'}")
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": SQLITE_INIT},
        }
    if parts.scheme in ("postgres", "postgresql"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
        }
    raise ImproperlyConfigured(f"DATABASE_URL starts with {parts.scheme!r}. Use postgres:// or sqlite:///.")


def email(url: str, folder: Path) -> dict[str, Any]:
    """`smtp://user:password@host:587?tls=1`; unset means one file a message under DATA_DIR/mail."""
    if not url:
        return {"EMAIL_BACKEND": "config.mail.FileSink"}
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps"):
        raise ImproperlyConfigured(
            f"EMAIL_URL starts with {parts.scheme!r}. Use smtp:// or smtps://, or leave it unset."
        )
    query = parse_qs(parts.query)
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and query.get("tls", ["0"])[0] == "1",
        "EMAIL_TIMEOUT": 20,
    }
