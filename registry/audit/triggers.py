"""The SQL that writes the trail, generated from the models for SQLite and PostgreSQL.

Installed after every migrate, because a table rebuilt by a migration loses its triggers.
"""

from collections.abc import Container, Iterable
from typing import Any

from registry.audit import locks
from registry.audit.coverage import APPEND_ONLY, WRITTEN_ONCE, Path, Table, audited_tables

CONTEXT = ("actor", "user_id", "role", "site", "reason", "channel", "request_id", "software")
ENTRY_COLUMNS = f"id, at, table_name, row_id, action, old, new, {', '.join(CONTEXT)}, about_patient, about_site, nonce, mac"
ENTRIES = "audit_entry"
NOBODY = "audit: nobody is acting, so nothing may be written (acting_as)"
ONLY_APPEND = "audit: the trail can only grow"
STAYS = "audit: what was signed is neither changed nor removed"
NO_TRUNCATE = "audit: a table with a trail cannot be truncated"
FIXED_KEY = "audit: a primary key cannot be changed"


def install(connection: Any) -> None:
    """A migration stopped half-way leaves tables to come; their triggers come with the run that makes them."""
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        drop(connection)
        for statement in statements(connection.vendor, there):
            cursor.execute(statement)


def drop(connection: Any) -> None:
    with connection.cursor() as cursor:
        for name, table in installed(connection):
            cursor.execute(
                f'DROP TRIGGER "{name}"'
                if connection.vendor == "sqlite"
                else f'DROP TRIGGER "{name}" ON "{table}"'
            )


def made_by(connection: Any) -> list[tuple[str, str]]:
    """For SQLite: each trigger's table and the statement that makes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tbl_name, sql FROM sqlite_master WHERE type='trigger' AND name LIKE 'audit!_%' ESCAPE '!'"
        )
        return sorted(cursor.fetchall())


def installed(connection: Any) -> list[tuple[str, str]]:
    if connection.vendor == "sqlite":
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type='trigger' AND name LIKE 'audit!_%' ESCAPE '!'"
    else:
        query = (
            "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() "
            "WHERE NOT t.tgisinternal AND t.tgname LIKE 'audit!_%' ESCAPE '!'"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return sorted((row[0], row[1]) for row in cursor.fetchall())


def missing_or_altered(connection: Any) -> list[str]:
    """Names of triggers that should guard the trail but do not, or no longer as generated."""
    expected = set(_expected_names(connection.vendor))
    missing = sorted(expected - {name for name, _ in installed(connection)})
    if connection.vendor == "sqlite":
        return missing + _altered_on_sqlite(connection)
    return missing + _altered_on_postgresql(connection)


def strangers(connection: Any) -> list[str]:
    """Triggers on the registry's tables that nobody here made: they could undo or disguise what is written."""
    if connection.vendor == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type='trigger'"
    else:
        query = (
            "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() WHERE NOT t.tgisinternal"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return sorted({row[0] for row in cursor.fetchall()} - set(_expected_names(connection.vendor)))


def statements(vendor: str, there: Container[str] | None = None) -> Iterable[str]:
    for table in audited_tables():
        if there is None or table.name in there:
            yield from (_sqlite_table(table) if vendor == "sqlite" else _postgresql_table(table))
    for name in APPEND_ONLY:
        yield from (_sqlite_append_only(name) if vendor == "sqlite" else _postgresql_append_only(name))
    for name in WRITTEN_ONCE:
        if there is None or name in there:
            yield from (_sqlite_written_once(name) if vendor == "sqlite" else _postgresql_written_once(name))
    yield from locks.statements(vendor, there)


def row_as_json(vendor: str, table: Table, row: str) -> str:
    """The SQL expression for a row's content as the trail keeps it; hidden columns only say that they are."""
    if vendor == "sqlite":
        pairs = (f"'{c}', " + ("'(hidden)'" if c in table.hidden else f'{row}."{c}"') for c in table.columns)
        return f"json_object({', '.join(pairs)})"
    hidden = "".join(f' || \'{{"{c}": "(hidden)"}}\'::jsonb' for c in sorted(table.hidden))
    return f"(to_jsonb({row}){hidden})::text"


def subject(path: Path | None, row: str) -> str:
    """The SQL expression for the patient or site a row belongs to."""
    if path is None:
        return "CAST(NULL AS bigint)"
    found = f'{row}."{path.column}"'
    for step in path.steps:
        found = f'(SELECT s."{step.column}" FROM "{step.table}" s WHERE s."{step.key}" = {found})'
    return found


# SQLite ------------------------------------------------------------------------------------------------------

# One writer at a time, so this is the id the next entry gets. Within one statement the sequence lags behind.
NEXT_ID_ON_SQLITE = (
    f"max(COALESCE((SELECT max(id) FROM {ENTRIES}), 0), "
    f"COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{ENTRIES}'), 0)) + 1"
)


def _sqlite_table(table: Table) -> Iterable[str]:
    context = ", ".join(
        f"audit_context('{name}')" if name == "user_id" else f"COALESCE(audit_context('{name}'), '')"
        for name in CONTEXT
    )
    for event in ("insert", "update", "delete"):
        row = "OLD" if event == "delete" else "NEW"
        old = row_as_json("sqlite", table, "OLD") if event != "insert" else "''"
        new = row_as_json("sqlite", table, "NEW") if event != "delete" else "''"
        changed = " OR ".join(f'OLD."{c}" IS NOT NEW."{c}"' for c in table.columns)
        when = f"WHEN {changed} " if event == "update" else ""
        guard = ""
        if event == "update":
            guard = f'SELECT RAISE(ABORT, \'{FIXED_KEY}\') WHERE OLD."{table.pk}" IS NOT NEW."{table.pk}"; '
        # The row of values is made once and named, so that the code covers exactly what is stored.
        values = (
            f"SELECT {NEXT_ID_ON_SQLITE} AS id, strftime('%Y-%m-%d %H:%M:%f', 'now') || '000' AS at, "
            f'{row}."{table.pk}" AS row_id, {old} AS old, {new} AS new, '
            f"{subject(table.patient, row)} AS patient, {subject(table.site, row)} AS site"
        )
        yield (
            f'CREATE TRIGGER "audit_{event}_{table.name}" AFTER {event.upper()} ON "{table.name}" {when}BEGIN '
            f"SELECT RAISE(ABORT, '{NOBODY}') WHERE audit_context('actor') IS NULL; {guard}"
            f"INSERT INTO audit_entry ({ENTRY_COLUMNS}) SELECT v.id, v.at, '{table.name}', v.row_id, '{event}', "
            f"v.old, v.new, {context}, v.patient, v.site, audit_context('nonce'), "
            f"audit_mac(v.id, v.at, '{table.name}', v.row_id, '{event}', v.old, v.new, v.patient, v.site) "
            f"FROM ({values}) AS v; END"
        )


def _sqlite_written_once(name: str) -> Iterable[str]:
    for event in ("update", "delete"):
        yield (
            f'CREATE TRIGGER "audit_once_{event}_{name}" BEFORE {event.upper()} ON "{name}" BEGIN '
            f"SELECT RAISE(ABORT, '{STAYS}'); END"
        )


def _sqlite_append_only(name: str) -> Iterable[str]:
    if name == ENTRIES:
        yield (
            f'CREATE TRIGGER "audit_insert_{name}" BEFORE INSERT ON "{name}" BEGIN '
            f"SELECT RAISE(ABORT, '{NOBODY}') WHERE audit_context('actor') IS NULL; END"
        )
    for event in ("update", "delete"):
        yield (
            f'CREATE TRIGGER "audit_{event}_{name}" BEFORE {event.upper()} ON "{name}" BEGIN '
            f"SELECT RAISE(ABORT, '{ONLY_APPEND}'); END"
        )


def _altered_on_sqlite(connection: Any) -> list[str]:
    wanted = {statement.split('"')[1]: statement for statement in statements("sqlite")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'")
        found = dict(cursor.fetchall())
    return sorted(name for name, sql in wanted.items() if name in found and found[name] != sql)


# PostgreSQL --------------------------------------------------------------------------------------------------


def _postgresql_table(table: Table) -> Iterable[str]:
    for event in ("insert", "update", "delete"):
        yield _postgresql_function(table, event)
        referencing = {
            "insert": "REFERENCING NEW TABLE AS new_rows",
            "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
            "delete": "REFERENCING OLD TABLE AS old_rows",
        }[event]
        yield (
            f'CREATE TRIGGER "audit_{event}_{table.name}" AFTER {event.upper()} ON "{table.name}" {referencing} '
            f'FOR EACH STATEMENT EXECUTE FUNCTION "audit_{event}_{table.name}"()'
        )
    yield _postgresql_refusal("audit_no_truncate", NO_TRUNCATE)
    yield (
        f'CREATE TRIGGER "audit_truncate_{table.name}" BEFORE TRUNCATE ON "{table.name}" '
        'FOR EACH STATEMENT EXECUTE FUNCTION "audit_no_truncate"()'
    )


def _postgresql_function(table: Table, event: str) -> str:
    pk = f'"{table.pk}"'
    source, guard = "new_rows", ""
    row = "o" if event == "delete" else "n"
    rows = {
        "insert": "new_rows n",
        "update": f"new_rows n JOIN old_rows o ON o.{pk} = n.{pk} WHERE n.* IS DISTINCT FROM o.*",
        "delete": "old_rows o",
    }[event]
    if event == "delete":
        source = "old_rows"
    if event == "update":
        guard = (
            f"IF (SELECT count(*) FROM old_rows) <> (SELECT count(*) FROM old_rows o JOIN new_rows n USING ({pk})) "
            f"THEN RAISE EXCEPTION '{FIXED_KEY}'; END IF; "
        )
    old = row_as_json("postgresql", table, "o") if event != "insert" else "''"
    new = row_as_json("postgresql", table, "n") if event != "delete" else "''"
    context = _postgresql_context()
    values = (
        f"SELECT nextval('{ENTRIES}_id_seq') AS id, {row}.{pk}::text AS row_id, {old} AS old, {new} AS new, "
        f"{subject(table.patient, row)} AS patient, {subject(table.site, row)} AS site FROM {rows}"
    )
    what = _measured("v.id::text", "at_text", f"'{table.name}'", "v.row_id", f"'{event}'", "v.old", "v.new")
    who = _measured(*(f"ctx->>'{name}'" for name in CONTEXT))
    whose = _measured("v.patient::text", "v.site::text", "ctx->>'nonce'")
    return (
        f'CREATE OR REPLACE FUNCTION "audit_{event}_{table.name}"() RETURNS trigger LANGUAGE plpgsql AS $$ '
        f"DECLARE ctx jsonb; at_text text; who text; BEGIN "
        f"IF NOT EXISTS (SELECT 1 FROM {source}) THEN RETURN NULL; END IF; "
        f"ctx := NULLIF(current_setting('registry.acting', true), '')::jsonb; "
        f"IF ctx->>'actor' IS NULL THEN RAISE EXCEPTION '{NOBODY}'; END IF; {guard}"
        f"at_text := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'); "
        f"who := {who}; "
        f"INSERT INTO audit_entry ({ENTRY_COLUMNS}) SELECT v.id, at_text::timestamp AT TIME ZONE 'UTC', "
        f"'{table.name}', v.row_id, '{event}', v.old, v.new, {context}, v.patient, v.site, ctx->>'nonce', "
        f"encode(sha256(convert_to(COALESCE(ctx->>'key', '') || {what} || who || {whose}, 'UTF8')), 'hex') "
        f"FROM ({values}) AS v; RETURN NULL; END $$"
    )


def _postgresql_context() -> str:
    return ", ".join(
        "(ctx->>'user_id')::bigint" if name == "user_id" else f"COALESCE(ctx->>'{name}', '')"
        for name in CONTEXT
    )


def _measured(*expressions: str) -> str:
    """Every value with its length before it, as registry.audit.macs writes them."""
    return " || ".join(
        f"length(COALESCE({one}, ''))::text || ':' || COALESCE({one}, '')" for one in expressions
    )


def _postgresql_written_once(name: str) -> Iterable[str]:
    yield _postgresql_refusal("audit_written_once", STAYS)
    for event in ("update", "delete"):
        yield (
            f'CREATE TRIGGER "audit_once_{event}_{name}" BEFORE {event.upper()} ON "{name}" '
            'FOR EACH ROW EXECUTE FUNCTION "audit_written_once"()'
        )


def _postgresql_append_only(name: str) -> Iterable[str]:
    if name == ENTRIES:
        yield _postgresql_somebody_acts()
        yield (
            f'CREATE TRIGGER "audit_insert_{name}" BEFORE INSERT ON "{name}" '
            'FOR EACH STATEMENT EXECUTE FUNCTION "audit_somebody_acts"()'
        )
    yield _postgresql_refusal("audit_only_append", ONLY_APPEND)
    for event in ("update", "delete", "truncate"):
        level = "STATEMENT" if event == "truncate" else "ROW"
        yield (
            f'CREATE TRIGGER "audit_{event}_{name}" BEFORE {event.upper()} ON "{name}" '
            f'FOR EACH {level} EXECUTE FUNCTION "audit_only_append"()'
        )


def _postgresql_somebody_acts() -> str:
    return (
        'CREATE OR REPLACE FUNCTION "audit_somebody_acts"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN '
        "IF NULLIF(current_setting('registry.acting', true), '')::jsonb->>'actor' IS NULL "
        f"THEN RAISE EXCEPTION '{NOBODY}'; END IF; RETURN NULL; END $$"
    )


def _postgresql_refusal(function: str, message: str) -> str:
    return (
        f'CREATE OR REPLACE FUNCTION "{function}"() RETURNS trigger LANGUAGE plpgsql AS '
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )


def _altered_on_postgresql(connection: Any) -> list[str]:
    """Switched off (or to replicas only), narrowed to some columns or rows, or calling other code than was written."""
    wanted = {
        statement.split('"')[1]: statement.split("$$")[1]
        for statement in statements("postgresql")
        if statement.startswith("CREATE OR REPLACE FUNCTION")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr = '', p.proname, p.prosrc "
            "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() "
            "WHERE NOT t.tgisinternal AND t.tgname LIKE 'audit!_%' ESCAPE '!'"
        )
        rows = cursor.fetchall()
    return sorted(name for name, whole, function, body in rows if not whole or wanted.get(function) != body)


def _expected_names(vendor: str) -> Iterable[str]:
    for statement in statements(vendor):
        if statement.startswith("CREATE TRIGGER"):
            yield statement.split('"')[1]
