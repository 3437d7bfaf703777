"""S18: a fresh folder starts safe. Nobody is in it, its secrets are its own and private, and it refuses to start unsafe."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).resolve().parent.parent.parent
SECRETS = ("secret_key", "field_keys", "audit_key")
SHOWN = (
    "SESSION_COOKIE_NAME CSRF_COOKIE_NAME SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_HSTS_SECONDS DEBUG "
    "ALLOWED_HOSTS REQUIRE_MFA"
)
ASK = f"import json; from django.conf import settings; print(json.dumps({{n: getattr(settings, n) for n in '{SHOWN}'.split()}}))"
INHERITED = (
    "DATABASE_URL",
    "REDIS_URL",
    "DEBUG",
    "SECRET_KEY",
    "FIELD_KEYS",
    "AUDIT_KEY",
    "REQUIRE_MFA",
    "SITE_URL",
)


def run(folder: Path, *arguments: str, **switches: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in INHERITED}
    environment |= {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings", **switches}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def settings_of(folder: Path, **switches: str) -> dict[str, object]:
    done = run(folder, "-c", ASK, **switches)
    assert done.returncode == 0, done.stderr
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def test_secrets_are_made_once_differ_from_install_to_install_and_are_private(tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        folder = tmp_path / name
        settings_of(folder)
        first = {secret: (folder / secret).read_text() for secret in SECRETS}
        settings_of(folder)
        assert first == {secret: (folder / secret).read_text() for secret in SECRETS}
        assert {(folder / secret).stat().st_mode & 0o777 for secret in SECRETS} == {0o600}
        kept += first.values()
    assert len(set(kept)) == 2 * len(SECRETS)
    assert min(map(len, kept)) >= 40


def test_what_is_safe_is_the_default(tmp_path: Path) -> None:
    plain = settings_of(tmp_path)
    assert (plain["DEBUG"], plain["REQUIRE_MFA"]) == (False, True)
    assert plain["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost"]


def test_under_tls_cookies_are_bound_to_the_host(tmp_path: Path) -> None:
    shown = settings_of(tmp_path, SITE_URL="https://registry.example.org")
    assert shown["SESSION_COOKIE_NAME"] == "__Host-session"
    assert shown["CSRF_COOKIE_NAME"] == "__Host-csrf"
    assert shown["SESSION_COOKIE_SECURE"] is shown["CSRF_COOKIE_SECURE"] is True
    assert shown["SECURE_HSTS_SECONDS"] == 31_536_000


@pytest.mark.parametrize(
    "switches",
    [
        {"DEBUG": "1", "SITE_URL": "https://registry.example.org"},
        {"DEBUG": "1", "SITE_URL": "http://192.168.1.7:8000"},
        {"DEBUG": "1", "SITE_URL": "http://0.0.0.0:8000"},
        {"SITE_URL": "http://*:8000"},
        {"SITE_URL": "https://*.example.org"},
        {"SITE_URL": "https://.example.org"},
        {"ALLOWED_HOSTS": "*"},
        {"SITE_URL": "registry.example.org"},
        {"SITE_URL": "https://registry.example.org/somewhere"},
        {"REQUIRE_MFA": "perhaps"},
    ],
)
def test_it_refuses_to_start_unsafe_and_says_why(tmp_path: Path, switches: dict[str, str]) -> None:
    done = run(tmp_path, "manage.py", "check", **switches)
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert any(name in done.stderr.splitlines()[-1] for name in (*switches, "SITE_URL"))


def test_debugging_on_this_machine_alone_is_possible(tmp_path: Path) -> None:
    assert settings_of(tmp_path, DEBUG="1")["DEBUG"] is True


def test_a_fresh_registry_has_nobody_who_could_sign_in(tmp_path: Path) -> None:
    """So no name and password of any list works: there is no account, and none comes by itself."""
    assert run(tmp_path, "manage.py", "migrate", "--verbosity", "0").returncode == 0
    count = (
        "import django; django.setup(); from registry.access.models import User; print(User.objects.count())"
    )
    assert run(tmp_path, "-c", count).stdout.strip() == "0"
    loose = [file.name for file in tmp_path.iterdir() if file.name in SECRETS and file.stat().st_mode & 0o077]
    assert loose == []
