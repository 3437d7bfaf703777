"""What would follow from results before they are saved: the derived values with why."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from followup.labs.derivation import Worked, work_out
from followup.labs.models import LabResult
from followup.labs.recomputing import people_of, sample_of, samples_of
from followup.labs.wording import INDEX_DECIMALS, INDEX_LABELS, STATUS_WORDS, unit_words
from followup.treatment.rules import InsulinDose
from registry.patients.models import Patient


@dataclass(frozen=True)
class IndexLine:
    """A derived value as pages show it."""

    label: str
    shown: str
    unit: str
    status_kind: str
    status_word: str
    reason: str
    day: date
    formula_version: str


def index_line(
    code: str, value: Decimal | None, unit: str, status: str, reason: str, day: date, formula: str
) -> IndexLine:
    kind, word = STATUS_WORDS[status]
    shown = "" if value is None else f"{value:.{INDEX_DECIMALS.get(code, 2)}f}"
    return IndexLine(INDEX_LABELS.get(code, code), shown, unit_words(unit), kind, word, reason, day, formula)


def preview(patient: Patient, results: list[LabResult], *, hidden: Collection[str] = ()) -> list[IndexLine]:
    """The indices that the unsaved results take part in, but for those that would tell of a masked one."""
    doses = [
        InsulinDose(result.collected_on, result.canonical_value)
        for result in results
        if result.analyte == "insulin_daily_dose"
        and result.canonical_value is not None
        and not result.comparator
    ]
    person = people_of([patient.pk], {patient.pk: doses})[patient.pk]
    new = [sample_of(result) for result in results]
    found = work_out(person, [*samples_of([patient.pk])[patient.pk], *new])
    keys = {sample.key for sample in new}
    return [
        _line(worked)
        for worked in found
        if worked.index.code not in hidden and any(part.key in keys for part in worked.parts)
    ]


def _line(worked: Worked) -> IndexLine:
    index = worked.index
    return index_line(
        index.code,
        index.value,
        index.unit,
        index.status,
        index.reason,
        worked.anchor.day,
        index.formula_version,
    )
