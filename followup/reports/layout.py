"""The building blocks of a printed report: sections holding paragraphs, tables and figures."""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

NOT_OURS = "Not applicable – completed by sponsor."


class Column(TypedDict):
    label: str
    unit: str
    kind: str  # text | num


class Row(TypedDict):
    cells: list[dict[str, str]]  # text, kind
    kind: str  # "" | total | group


class Block(TypedDict, total=False):
    kind: str  # table | figure | text
    caption: str
    columns: list[Column]
    rows: list[Row]
    empty: str
    notes: list[str]
    chart: str
    alt: str
    text: str
    width: str  # "" | dense | narrow


class Section(TypedDict):
    slug: str
    title: str
    blocks: list[Block]


def text(label: str) -> Column:
    return {"label": label, "unit": "", "kind": "text"}


def num(label: str, unit: str = "") -> Column:
    return {"label": label, "unit": unit, "kind": "num"}


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str,
    notes: Sequence[str] = (),
    totals: Iterable[Sequence[Any]] = (),
    width: str = "",
) -> Block:
    """A table whose first column names the row; `empty` is the sentence printed when there is no row."""
    body = [_row(columns, cells, "") for cells in rows]
    if body:
        body += [_row(columns, cells, "total") for cells in totals]
    return {
        "kind": "table",
        "caption": caption,
        "columns": list(columns),
        "rows": body,
        "empty": empty,
        "notes": [note for note in notes if note],
        "width": width,
    }


def _row(columns: Sequence[Column], cells: Sequence[Any], kind: str) -> Row:
    pairs = zip(columns, cells, strict=True)
    return {"cells": [{"text": str(cell), "kind": column["kind"]} for column, cell in pairs], "kind": kind}


def grouped(titles: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """A heading row wherever the title changes."""
    found: list[Row] = []
    before = ""
    for title, row in zip(titles, rows, strict=True):
        if title != before:
            found.append({"kind": "group", "cells": [{"text": title, "kind": "text"}]})
        before = title
        found.append(row)
    return found


def figure(caption: str, chart: str, alt: str) -> Block:
    return {"kind": "figure", "caption": caption, "chart": chart, "alt": alt, "notes": []}


def figure_or_words(data: Sequence[Any], caption: str, chart: str, alt: str) -> Block:
    """Without data there is nothing to draw, and the sentence says so."""
    return figure(caption, chart, alt) if data else paragraph(alt)


def paragraph(words: str) -> Block:
    return {"kind": "text", "text": words}


def section(title: str, *blocks: Block) -> Section:
    slug = "".join(c if c.isalnum() else "-" for c in title.lower())
    return {"slug": slug, "title": title, "blocks": list(blocks)}
