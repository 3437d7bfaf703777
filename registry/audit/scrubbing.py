"""What was deleted must not linger in the files of the database."""

from collections.abc import Iterable

from django.db import connection


def scrub_database(tables: Iterable[str]) -> None:
    """SQLite overwrites freed pages (secure_delete); its write-ahead log is emptied here. PostgreSQL's dead rows of these
    tables are taken away. For `on_commit`: neither can while a transaction is open.
    """
    if connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for table in tables:
            cursor.execute(f'VACUUM "{table}"')
