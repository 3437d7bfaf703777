"""The environment of every test: its own data directory, no service variables, warnings and unknown template variables fail.

It is set before Django reads the settings, once in each xdist worker. No test module needs to import anything from here.
"""

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import hypothesis
import pytest
from django.conf import settings  # lazy: nothing is read before django.setup() below

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
DATA_DIR = Path(tempfile.mkdtemp(prefix=f"registry-tests-{WORKER}-"))
INHERITED = [
    *("BACKUP_DIR", "BACKUP_HOURS", "BACKUP_KEEP", "BACKUP_PASSPHRASE_FILE"),
    *("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SITE_URL", "SECRET_KEY", "FIELD_KEYS", "AUDIT_KEY"),
    *("DEBUG", "REQUIRE_MFA", "DEMO_PASSWORD", "SWEEP_SECONDS"),
]


def redis_url_of_this_worker(url: str) -> str:
    """Workers run side by side and clear their cache, so each has a numbered Redis database of its own."""
    parts = urlsplit(url)
    first = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{first + int(WORKER.removeprefix('gw'))}"))


for name in INHERITED:
    os.environ.pop(name, None)
os.environ["DATA_DIR"] = str(DATA_DIR)
os.environ["REQUIRE_MFA"] = "0"  # the tests of the second factor turn it on
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url
if url := os.environ.get("TEST_REDIS_URL"):
    os.environ["REDIS_URL"] = redis_url_of_this_worker(url)
os.environ["FAIL_INVALID_TEMPLATE_VARS"] = "true"  # read by pytest-django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
# A worker that inherited this would read the settings, with the first process's DATA_DIR, before it comes to this file.
del os.environ["DJANGO_SETTINGS_MODULE"]
settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # the product's are slow on purpose

pytest_plugins = [
    "tests.cast",
    "tests.migrated",
]  # the fixtures of every test, loaded now that Django is set up

hypothesis.settings.register_profile("registry", deadline=None)
hypothesis.settings.load_profile("registry")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(DATA_DIR, ignore_errors=True)
