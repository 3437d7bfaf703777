"""A correction that came second: the infusion and its doses, as they stood, as they stand and as they were typed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict

from registry.access.conflicts import Edit, Line, Was
from registry.infusions.forms import correction_initial
from registry.infusions.models import Infusion, InfusionDose
from registry.products.models import Lot

DOSES = "doses"
COLUMNS = ("lot", "cells_total", "viability_percent")


def values_of(one: Infusion, was: Was) -> dict[str, Any]:
    return {name: value for name, value in correction_initial(was(one)).items() if name != "version"}


def chosen_doses(posted: QueryDict | None, standing: Iterable[InfusionDose]) -> QueryDict | None:
    """What was posted, with the doses that stand where the person chose to keep those of the other one."""
    if posted is None or posted.get(f"keep.{DOSES}") != "theirs":
        return posted
    return _replaced(posted, standing)


def compare_doses(edit: Edit, one: Infusion, posted: QueryDict) -> QueryDict:
    """Adds the doses to what the page compares; gives the form's data, with theirs where only they changed them."""
    if edit.conflicts is None or edit.earlier is None:
        return posted
    standing = list(one.doses.select_related("lot").order_by("pk"))
    stood = [dose for dose in map(edit.earlier.was, standing) if dose is not None]
    then, now, mine = _words(stood), _words(standing), _typed(posted)
    if then == now == mine:
        return posted
    taken = mine == then != now
    choice = now not in (then, mine) and mine != then
    edit.conflicts["lines"].append(Line(DOSES, "Cells given", then, now, mine, choice=choice, taken=taken))
    return _replaced(posted, standing) if taken else posted


def _replaced(posted: QueryDict, standing: Iterable[InfusionDose]) -> QueryDict:
    made, rows = posted.copy(), list(standing)
    for name in [name for name in made if name.startswith("dose-")]:
        del made[name]
    made["dose-TOTAL_FORMS"] = made["dose-INITIAL_FORMS"] = str(len(rows))
    for number, dose in enumerate(rows):
        values = (dose.lot_id, dose.cells_total, dose.viability_percent)
        for name, value in zip(COLUMNS, values, strict=True):
            made[f"dose-{number}-{name}"] = str(value)
    return made


def _words(doses: Iterable[InfusionDose]) -> str:
    return "; ".join(_line(dose.lot.code, dose.cells_total, dose.viability_percent) for dose in doses)


def _typed(posted: QueryDict) -> str:
    numbers = sorted(int(name.split("-")[1]) for name in posted if _is_lot(name))
    keys = [posted.get(f"dose-{number}-lot", "") for number in numbers]
    codes = dict(
        Lot.objects.filter(pk__in=[int(key) for key in keys if _is_key(key)]).values_list("pk", "code")
    )
    rows = [
        _line(
            codes.get(int(key), key), posted.get(f"dose-{number}-cells_total", ""),
            posted.get(f"dose-{number}-viability_percent", ""),
        )
        for number, key in zip(numbers, keys, strict=True)
        if _is_key(key)
    ]  # fmt: skip
    return "; ".join(rows)


def _is_lot(name: str) -> bool:
    parts = name.split("-")
    return (
        len(parts) == 3
        and parts[0] == "dose"
        and parts[1].isdecimal()
        and len(parts[1]) < 4
        and parts[2] == "lot"
    )


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _line(code: str, cells: object, viability: object) -> str:
    return f"{code}: {cells} cells, {_plain(viability)} % viable"


def _plain(number: object) -> str:
    try:
        return f"{Decimal(str(number)).normalize():f}"
    except InvalidOperation:
        return str(number)
