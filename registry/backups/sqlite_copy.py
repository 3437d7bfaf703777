"""The database file of SQLite: copied whole while others write, and put in its place."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from django.db import connection

from registry.backups import tables
from registry.backups.archive import Reader, Writer

MEMBER = "database/registry.sqlite3"


def database_file() -> Path:
    return Path(connection.settings_dict["NAME"]).resolve()


def with_companions(path: Path) -> set[Path]:
    return {path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))}


@contextmanager
def snapshot(scratch: Path) -> Iterator[tables.Asker]:
    """One moment of the database, copied by SQLite's own backup interface, which lets writers go on."""
    copy = scratch / "copy.sqlite3"
    os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    with (
        closing(sqlite3.connect(database_file(), timeout=60)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    with closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA journal_mode=DELETE")
        target.execute("PRAGMA secure_delete=ON")
        for name in sorted(tables.passing() & set(tables.names(target.execute))):
            target.execute(f'DELETE FROM "{name}"')
        target.commit()
        yield target.execute


def store(archive: Writer, scratch: Path, ask: tables.Asker) -> None:
    with (scratch / "copy.sqlite3").open("rb") as file:
        archive.add_stream(MEMBER, file)


def load(backup: Reader) -> None:
    """Under another name first; the change of names is the one moment at which the registry becomes the restored one."""
    final = database_file()
    partial = final.with_name(f".{final.name}.partial")
    with backup.open(MEMBER) as source, private(partial) as target:
        shutil.copyfileobj(source, target, 1024 * 1024)
        target.flush()
        os.fsync(target.fileno())
    with closing(sqlite3.connect(partial)) as database:
        problem = database.execute("PRAGMA integrity_check").fetchone()[0]
        if problem != "ok":
            raise tables.CannotLoad(f"The database in the backup is broken: {problem}")
    connection.close()
    for companion in with_companions(final):
        companion.unlink(missing_ok=True)
    partial.replace(final)
    sync_folder(final.parent)


def private(path: Path) -> BinaryIO:
    """Opened anew for writing, readable by its owner alone."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
