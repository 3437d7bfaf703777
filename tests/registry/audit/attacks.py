"""Ways to alter the trail, or the data beneath it, by SQL. Each returns where `audit_verify` must find it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

ROWS = ("access_site", "patients_patient", "patients_consentdocument", "labs_laboratory", "access_user")
TEXT = {
    "access_site": "name", "patients_patient": "patient_id", "patients_consentdocument": "title",
    "labs_laboratory": "name", "access_user": "full_name",
}  # fmt: skip
COLUMNS = (
    "actor",
    "role",
    "site",
    "reason",
    "channel",
    "request_id",
    "software",
    "new",
    "old",
    "table_name",
    "row_id",
)
Attack = Callable[[random.Random], str]


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and sql.startswith(("ALTER", "DROP")):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no change may wait for its checks meanwhile
        cursor.execute(sql, values)


def ask(sql: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


@contextmanager
def behind_the_triggers(*tables: str) -> Iterator[None]:
    """What somebody does who owns the database: takes the guards away, works, puts them back as they were."""
    if connection.vendor == "postgresql":
        run("SET LOCAL session_replication_role = replica")
        yield
        run("SET LOCAL session_replication_role = origin")
        return
    names = ", ".join(["%s"] * len(tables))
    guards = ask(
        f"SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name IN ({names})", *tables
    )
    for name, _ in guards:
        run(f'DROP TRIGGER "{name}"')
    yield
    with connection.cursor() as cursor:
        for _, sql in guards:
            cursor.execute(sql)


def sealed(chance: random.Random) -> int:
    return int(chance.choice(ask("SELECT entry_id FROM audit_sealed_entry ORDER BY 1"))[0])


def unsealed(chance: random.Random) -> int:
    waiting = (
        "SELECT id FROM audit_entry WHERE id NOT IN (SELECT entry_id FROM audit_sealed_entry) ORDER BY 1"
    )
    return int(chance.choice(ask(waiting))[0])


def some_entry(chance: random.Random) -> int:
    return chance.choice((sealed, unsealed))(chance)


def some_row(chance: random.Random) -> tuple[str, int]:
    table = chance.choice(ROWS)
    return table, int(chance.choice(ask(f'SELECT id FROM "{table}" ORDER BY 1'))[0])


def some_seal(chance: random.Random) -> int:
    return int(chance.choice(ask("SELECT id FROM audit_seal ORDER BY 1"))[0])


def update_an_entry(chance: random.Random) -> str:
    entry = some_entry(chance)
    column = chance.choice(COLUMNS)
    with behind_the_triggers("audit_entry"):
        run(f"UPDATE audit_entry SET {column} = {column} || 'x' WHERE id = %s", entry)
    return f"entry {entry}"


def hide_an_entry_from_a_patient(chance: random.Random) -> str:
    entry = some_entry(chance)
    column = chance.choice(("about_patient", "about_site", "user_id"))
    with behind_the_triggers("audit_entry"):
        run(f"UPDATE audit_entry SET {column} = 987654 WHERE id = %s", entry)
    return f"entry {entry}"


def back_date_an_entry(chance: random.Random) -> str:
    entry = some_entry(chance)
    with behind_the_triggers("audit_entry"):
        run("UPDATE audit_entry SET at = '2019-01-01 00:00:00' WHERE id = %s", entry)
    return f"entry {entry}"


def delete_an_entry(chance: random.Random) -> str:
    """On PostgreSQL an unsealed one is missed by its row; the sealed ones are named themselves."""
    entry = sealed(chance)
    with behind_the_triggers("audit_entry"):
        run("DELETE FROM audit_entry WHERE id = %s", entry)
    return f"entry {entry}"


def swap_two_entries(chance: random.Random) -> str:
    first, second = sorted((sealed(chance), unsealed(chance)))
    with behind_the_triggers("audit_entry"):
        for old, new in ((first, -1), (second, first), (-1, second)):
            run("UPDATE audit_entry SET id = %s WHERE id = %s", new, old)
    return f"entry {first}"


def insert_a_made_up_entry(chance: random.Random) -> str:
    """A copy of a real one, its code included, naming another person as the one who acted."""
    model = some_entry(chance)
    columns = [
        "at", "table_name", "row_id", "action", "old", "new", "user_id", "role", "site", "reason", "channel", "request_id",
        "software", "about_patient", "about_site", "nonce", "mac",
    ]  # fmt: skip
    copied = ", ".join(columns)
    with behind_the_triggers("audit_entry"):
        run(
            f"INSERT INTO audit_entry (actor, {copied}) SELECT 'nora', {copied} FROM audit_entry WHERE id = %s",
            model,
        )
    return f"entry {ask('SELECT max(id) FROM audit_entry')[0][0]}"


def edit_a_row_and_invent_its_entry(chance: random.Random) -> str:
    """The row and the invented entry agree with each other; only the code is wanting."""
    table, row = some_row(chance)
    with behind_the_triggers("audit_entry", table):
        run(f'UPDATE "{table}" SET "{TEXT[table]}" = %s WHERE id = %s', f"y{row}", row)
        last = ask(
            "SELECT new FROM audit_entry WHERE table_name = %s AND row_id = %s ORDER BY id DESC",
            table,
            str(row),
        )
        content = json.loads(last[0][0]) | {TEXT[table]: f"y{row}"}
        run(
            "INSERT INTO audit_entry (at, table_name, row_id, action, old, new, actor, role, site, reason, channel, "
            "request_id) VALUES ('2031-01-01 00:00:00', %s, %s, 'update', %s, %s, 'nora', 'nurse', 'RIV', '', 'web', '')",
            table, str(row), last[0][0], json.dumps(content),
        )  # fmt: skip
    return f"entry {ask('SELECT max(id) FROM audit_entry')[0][0]}"


def cut_the_sealed_tail(chance: random.Random) -> str:
    """The entries, their digests and their seals: nothing in the database tells that they were there."""
    first = some_seal(chance)
    with behind_the_triggers("audit_entry", "audit_seal", "audit_sealed_entry"):
        kept = ask("SELECT COALESCE(max(last_entry), 0) FROM audit_seal WHERE id < %s", first)[0][0]
        run("DELETE FROM audit_entry WHERE id > %s", kept)
        run("DELETE FROM audit_sealed_entry WHERE seal_id >= %s", first)
        run("DELETE FROM audit_seal WHERE id >= %s", first)
        if connection.vendor == "sqlite":
            run("UPDATE sqlite_sequence SET seq = %s WHERE name = 'audit_entry'", kept)
    return f"seal {first}"


def cut_the_unsealed_tail(chance: random.Random) -> str:
    """SQLite counts what it gave; on PostgreSQL the rows whose entries went are without them."""
    from_entry = unsealed(chance)
    lost = ask("SELECT table_name, row_id FROM audit_entry WHERE id >= %s ORDER BY id", from_entry)
    with behind_the_triggers("audit_entry"):
        run("DELETE FROM audit_entry WHERE id >= %s", from_entry)
    return f"entry {from_entry}" if connection.vendor == "sqlite" else " ".join(lost[0])


def edit_data_only(chance: random.Random) -> str:
    table, row = some_row(chance)
    with behind_the_triggers(table):
        run(f'UPDATE "{table}" SET "{TEXT[table]}" = %s WHERE id = %s', f"z{row}", row)
    return f"{table} {row}"


def delete_a_row(chance: random.Random) -> str:
    table, row = some_row(chance)
    with behind_the_triggers(table):
        run(f'DELETE FROM "{table}" WHERE id = %s', row)
    return f"{table} {row}"


def delete_and_insert_a_row_again(chance: random.Random) -> str:
    row = int(chance.choice(ask("SELECT id FROM labs_laboratory ORDER BY 1"))[0])
    columns = [field[0] for field in _columns("labs_laboratory") if field[0] != "name"]
    listed = ", ".join(f'"{one}"' for one in columns)
    with behind_the_triggers("labs_laboratory"):
        run(f"CREATE TEMPORARY TABLE kept AS SELECT {listed} FROM labs_laboratory WHERE id = %s", row)
        run("DELETE FROM labs_laboratory WHERE id = %s", row)
        run(f"INSERT INTO labs_laboratory (name, {listed}) SELECT 'Elsewhere', {listed} FROM kept")
        run("DROP TABLE kept")
    return f"labs_laboratory {row}"


def insert_a_row(chance: random.Random) -> str:
    columns = ", ".join(
        f'"{one[0]}"' for one in _columns("labs_laboratory") if one[0] not in ("id", "name", "form_token")
    )
    token = ", form_token" if ("form_token",) in _columns("labs_laboratory") else ""
    model = ask("SELECT min(id) FROM labs_laboratory")[0][0]
    with behind_the_triggers("labs_laboratory"):
        run(
            f"INSERT INTO labs_laboratory (name, {columns}{token}) SELECT 'Ghost', {columns}{token and ', %s'} "
            "FROM labs_laboratory WHERE id = %s",
            *([f"g{chance.random()}"] if token else []), model,
        )  # fmt: skip
    return f"labs_laboratory {ask('SELECT max(id) FROM labs_laboratory')[0][0]}"


def re_point_a_foreign_key(chance: random.Random) -> str:
    table = chance.choice(("patients_patient", "access_rolegrant"))
    row, site = chance.choice(ask(f'SELECT id, site_id FROM "{table}" WHERE site_id IS NOT NULL ORDER BY 1'))
    other = ask("SELECT min(id) FROM access_site WHERE id <> %s", site)[0][0]
    with behind_the_triggers(table):
        run(f'UPDATE "{table}" SET site_id = %s WHERE id = %s', other, row)
    return f"{table} {row}"


def drop_a_trigger_and_edit(chance: random.Random) -> str:
    table, row = some_row(chance)
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    run(f'DROP TRIGGER "audit_update_{table}"{on}')
    run(f'UPDATE "{table}" SET "{TEXT[table]}" = %s WHERE id = %s', f"w{row}", row)
    return f"{table} {row}"


def switch_a_trigger_off_and_on(chance: random.Random) -> str:
    table, row = some_row(chance)
    if connection.vendor == "sqlite":  # its switch is dropping and making it again
        return edit_data_only(chance)
    run(f'ALTER TABLE "{table}" DISABLE TRIGGER "audit_update_{table}"')
    run(f'UPDATE "{table}" SET "{TEXT[table]}" = %s WHERE id = %s', f"v{row}", row)
    run(f'ALTER TABLE "{table}" ENABLE TRIGGER "audit_update_{table}"')
    return f"{table} {row}"


def empty_a_trigger(chance: random.Random) -> str:
    """The trigger stands, but does nothing any more."""
    table, _ = some_row(chance)
    name = f"audit_update_{table}"
    if connection.vendor == "postgresql":
        run(
            f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$'
        )
    else:
        run(f'DROP TRIGGER "{name}"')
        run(f'CREATE TRIGGER "{name}" AFTER UPDATE ON "{table}" BEGIN SELECT 1; END')
    return name


def edit_a_seal(chance: random.Random) -> str:
    seal = some_seal(chance)
    change = chance.choice((
        "entries = entries - 1", "last_entry = last_entry - 1", "digest = 'x'", "at = '2019-01-01 00:00:00'",
    ))  # fmt: skip
    with behind_the_triggers("audit_seal"):
        run(f"UPDATE audit_seal SET {change} WHERE id = %s", seal)
    return f"seal {seal}"


def edit_a_sealed_digest(chance: random.Random) -> str:
    entry = sealed(chance)
    with behind_the_triggers("audit_sealed_entry"):
        run("UPDATE audit_sealed_entry SET digest = 'x' WHERE entry_id = %s", entry)
    return f"entry {entry}"


def delete_a_seal(chance: random.Random) -> str:
    seal = some_seal(chance)
    with behind_the_triggers("audit_seal", "audit_sealed_entry"):
        run("DELETE FROM audit_seal WHERE id = %s", seal)
        if chance.random() < 0.5:
            run("DELETE FROM audit_sealed_entry WHERE seal_id = %s", seal)
    return f"seal {seal}"


def _columns(table: str) -> list[tuple[str]]:
    with connection.cursor() as cursor:
        return [(one.name,) for one in connection.introspection.get_table_description(cursor, table)]


KINDS: tuple[Attack, ...] = (
    update_an_entry, hide_an_entry_from_a_patient, back_date_an_entry, delete_an_entry, swap_two_entries,
    insert_a_made_up_entry, edit_a_row_and_invent_its_entry, cut_the_sealed_tail, cut_the_unsealed_tail, edit_data_only,
    delete_a_row, delete_and_insert_a_row_again, insert_a_row, re_point_a_foreign_key, drop_a_trigger_and_edit,
    switch_a_trigger_off_and_on, empty_a_trigger, edit_a_seal, edit_a_sealed_digest, delete_a_seal,
)  # fmt: skip
