"""A backup is only put back where there is nothing to lose."""

import hashlib
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection

from registry.backups import members, tables
from registry.backups.archive import BLOCK

HOLDS_FACTS = ("access.User", "access.Site", "patients.Patient", "products.Lot")
WHAT_TO_DO = (
    "Nothing was written. Restore into an empty place: DATA_DIR=a-new-folder (and, with PostgreSQL, an empty database) "
    "manage.py restore FILE. What is here stays as it is."
)


class CannotRestore(Exception):
    """Why the backup was not put back; nothing was written."""


def refuse_if_in_use(manifest: dict[str, Any], *, again: bool) -> None:
    """`again`: this very backup was being put back here when it was interrupted."""
    if not again:
        _refuse_data()
    for name, known in manifest["members"].items():
        place = name.removeprefix("files/")
        target = members.data_dir() / place
        if not name.startswith("files/") or members.is_growing(place) or not target.exists():
            continue
        if not target.is_file() or _digest(target) != known["sha256"]:
            raise CannotRestore(f"{target} is there already and differs from the backup's. {WHAT_TO_DO}")


def _refuse_data() -> None:
    found = set(connection.introspection.table_names())
    for label in HOLDS_FACTS:
        model = apps.get_model(label)
        if model._meta.db_table in found and model._default_manager.exists():
            raise CannotRestore(
                f"This registry holds {model._meta.verbose_name_plural} already. {WHAT_TO_DO}"
            )
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    if strange := sorted(found - ours - tables.passing() - {"django_migrations"}):
        raise CannotRestore(
            f"The database holds a table that is not the registry's: {strange[0]}. {WHAT_TO_DO}"
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
