"""SQLite builds a table anew to change it, and refuses while a trigger of another table reads the one that is gone.

So the trail's triggers step aside for that moment, inside the migration's own transaction: after a crash they stand as before.
They come back as they were; the ones for today's models are installed when every migration is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3.schema import DatabaseSchemaEditor

from registry.audit import triggers


def _with_triggers_aside(name: str) -> Any:
    def change(self: "SchemaEditor", *args: Any, **kwargs: Any) -> None:
        with self.triggers_aside():
            getattr(DatabaseSchemaEditor, name)(self, *args, **kwargs)

    return change


class SchemaEditor(DatabaseSchemaEditor):
    are_aside = False
    add_field = _with_triggers_aside("add_field")
    alter_field = _with_triggers_aside("alter_field")
    remove_field = _with_triggers_aside("remove_field")
    add_constraint = _with_triggers_aside("add_constraint")
    remove_constraint = _with_triggers_aside("remove_constraint")
    alter_unique_together = _with_triggers_aside("alter_unique_together")
    alter_db_table = _with_triggers_aside("alter_db_table")

    @contextmanager
    def triggers_aside(self) -> Iterator[None]:
        if self.are_aside:
            yield
            return
        put_back = self._taken_away()
        self.are_aside = True
        try:
            yield
        finally:
            self.are_aside = False
        put_back()

    def _taken_away(self) -> Callable[[], None]:
        made = triggers.made_by(self.connection)
        triggers.drop(self.connection)

        def put_back() -> None:
            there = set(self.connection.introspection.table_names())
            for table, statement in made:
                if table in there:
                    self.execute(statement, params=None)

        return put_back
