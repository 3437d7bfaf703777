"""What belongs to one person: every table with a way to `Patient`, found by walking the schema, and its rows.

No room is named here: a room that is added belongs at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet

from registry.audit.coverage import HIDDEN_COLUMNS, audited_models
from registry.patients.models import ContactPoint, Identity, Patient, PatientKey, SearchWord

# Written by the program, or a code from a list: nobody's name can stand there.
NOT_TYPED = frozenset(
    (
        "form_token", "import_key", "sha256", "stored_as", "numbers_stored_as", "pdf_sha256", "numbers_sha256", "source",
        "source_key", "url", "record", "rule", "kind", "message", "progress", "error", "title", "field", "report",
        "digest", "head", "inputs", "formula_version", "analyte", "unit_received", "conversion", "case_ref", "event_ref",
        "soc", "severity_received", "seriousness_criteria", "moments_received", "item", "content", "content_sha256", "seal",
        "part", "part_sha256", "software_version",
    )
)  # fmt: skip
ENCRYPTED_ROOMS = (Patient, Identity, PatientKey, SearchWord)
MADE_BY_THE_PROGRAM = ("labs.derivedvalue", "schedule.workitem", "signatures.signature", "reminders.reminder")
SHORTEST_FREE_TEXT = 40


@dataclass(frozen=True)
class Belonging:
    """One table and the ways from it to the person: `patient`, or `visit__patient` where it hangs on a visit."""

    model: type[models.Model]
    paths: tuple[str, ...]

    def rows(self, patient: Patient) -> QuerySet[Any]:
        wanted = Q(pk__in=[])
        for path in self.paths:
            wanted |= Q(**{path: patient.pk})
        if self.paths == NAMED:
            wanted = _naming(patient)
        return self.model._default_manager.filter(wanted).order_by("pk").distinct()


# Signatures and the like name a record by its kind and number, without a link.
NAMED = ("record", "row_pk")


def belongings() -> list[Belonging]:
    """`Patient` itself first. A table with its own column for the patient belongs by that; others by what they hang on,
    by link or by name.
    """
    linked = _linked()
    named = [
        Belonging(model, NAMED)
        for model in audited_models()
        if set(NAMED) <= {field.name for field in model._meta.concrete_fields} and model not in linked
    ]
    return [Belonging(model, paths) for model, paths in linked.items()] + named


def _linked() -> dict[type[models.Model], tuple[str, ...]]:
    found: dict[type[models.Model], tuple[str, ...]] = {Patient: ("pk",)}
    level: list[type[models.Model]] = [Patient]
    while level:
        level = _one_further(found, level)
    return found


def _naming(patient: Patient) -> Q:
    """Whatever names a row that belongs to this person."""
    wanted = Q(pk__in=[])
    for model, paths in _linked().items():
        if keys := list(Belonging(model, paths).rows(patient).values_list("pk", flat=True)):
            wanted |= Q(record=model._meta.label_lower, row_pk__in=keys)
    return wanted


def _one_further(
    found: dict[type[models.Model], tuple[str, ...]], level: list[type[models.Model]]
) -> list[type[models.Model]]:
    """The tables that hang on this level and were not reached before: the shortest way counts."""
    new: dict[type[models.Model], tuple[str, ...]] = {}
    for model in sorted(audited_models(), key=lambda one: one._meta.label_lower):
        if model in found:
            continue
        paths = tuple(
            path
            for link in model._meta.concrete_fields
            if link.is_relation and link.related_model in level
            for path in _through(link.name, found[link.related_model])
        )
        if paths:
            new[model] = paths
    found |= new
    return list(new)


def _through(link: str, paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        yield link if path == "pk" else f"{link}__{path}"


# Free text ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FreeText:
    """Something staff typed about the person: a name may stand in it. `times`: on so many rows."""

    record: str
    field: str
    text: str
    times: int


def free_texts(patient: Patient) -> list[FreeText]:
    """To be read before names are erased: what staff typed is not encrypted, and stays. Each text once."""
    found: Counter[tuple[str, str, str]] = Counter()
    for belonging in belongings():
        fields = list(_typed_fields(belonging.model))
        words = str(belonging.model._meta.verbose_name).capitalize()
        for row in belonging.rows(patient) if fields else ():
            texts = {field: str(getattr(row, field.attname) or "") for field in fields}
            found.update(
                (words, _label(field), text) for field, text in texts.items() if _says(text, patient)
            )
    return [FreeText(*one, times) for one, times in found.items()]


def _says(text: str, patient: Patient) -> bool:
    """Numbers, dates and the pseudonymous id name nobody."""
    rest = text.replace(patient.patient_id, "")
    return any(character.isalpha() for character in rest)


def _typed_fields(model: type[models.Model]) -> Iterator[models.Field[Any, Any]]:
    if model in ENCRYPTED_ROOMS or model._meta.label_lower in MADE_BY_THE_PROGRAM:
        return
    hidden = HIDDEN_COLUMNS.get(model._meta.db_table, set())
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, models.TextField) or (
            isinstance(field, models.CharField) and (field.max_length or 0) >= SHORTEST_FREE_TEXT
        )
        encrypted = model is ContactPoint and field.name == "value"
        if is_text and not (field.choices or encrypted or field.name in NOT_TYPED | hidden):
            yield field


def _label(field: models.Field[Any, Any]) -> str:
    words = str(field.verbose_name)
    return words[:1].upper() + words[1:]
