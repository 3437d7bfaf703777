"""Many rows in one statement, past the objects: for sweeps and plans, where building an object a row is most of the time.

The one place that writes an INSERT of its own, beside the trail and the copies; names come from models, values go as
parameters. The triggers of the trail see these rows like any others, and what a unique key holds already stays as it is.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from django.db import connection
from django.db.models import Field, Model


def insert_rows(model: type[Model], names: Sequence[str], rows: Sequence[Sequence[Any]], **same: Any) -> None:
    """`rows` hold the values of the columns `names`; `same` has what is the same in each. The rest is the field's default."""
    if not rows:
        return
    lists: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    columns = _columns(model, {**lists, **{name: list(repeat(one, len(rows))) for name, one in same.items()}})
    filled = [(field, list(repeat(v, len(rows))) if is_default else v) for field, v, is_default in columns]
    into = _into(model, [field for field, _ in filled])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field, _ in filled)
            cursor.execute(
                " ".join([into, "SELECT * FROM", f"unnest({arrays})", KEEP]), [list(v) for _, v in filled]
            )
        else:
            marks = ", ".join("%s" for _ in filled)
            prepared = [[field.get_db_prep_save(v, connection) for v in values] for field, values in filled]
            cursor.executemany(" ".join([into, f"VALUES ({marks})", KEEP]), list(zip(*prepared, strict=True)))


KEEP = "ON CONFLICT DO NOTHING"


def _columns(model: type[Model], given: Mapping[str, Any]) -> list[tuple["Field[Any, Any]", Any, bool]]:
    """Every column but the key: its field, its value or values, and whether that is the default."""
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    if unknown := set(given) - {field.attname for field in fields}:
        raise ValueError(f"{model.__name__} has no column {min(unknown)}")
    return [
        (field, given[field.attname], False) if field.attname in given else (field, field.get_default(), True)
        for field in fields
    ]


def _into(model: type[Model], fields: Sequence["Field[Any, Any]"]) -> str:
    names = ", ".join(f'"{field.column}"' for field in fields)
    return " ".join(["INSERT INTO", f'"{model._meta.db_table}"', f"({names})"])
