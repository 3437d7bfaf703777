"""Recording, correcting and withdrawing results. Needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F

from followup.labs.assessments import settle_visits
from followup.labs.catalogue import ANALYTES
from followup.labs.models import Laboratory, LabResult
from followup.labs.receiving import Received, fasting_doubt, find_analyte, import_key, read_result
from followup.labs.recomputing import recompute
from followup.labs.units import DEFAULT_INSULIN_PMOL_PER_MIU, UnitError, limit_check
from followup.schedule.models import Visit
from registry.access.masking import RULE, codes_of, hidden_from
from registry.access.models import User
from registry.audit.acting import because
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of
from registry.saving import ChangedMeanwhile, NotAccepted, claim_version, made_by
from registry.signatures.locks import refuse_if_locked

NOT_FROM_A_LABORATORY = {"vital_signs", "insulin", "cgm"}
OUT_OF_RANGE, FASTING = "result_out_of_range", "result_fasting"
DOUBTS = (OUT_OF_RANGE, FASTING, RULE + OUT_OF_RANGE, RULE + FASTING)
MASKED = "masked"
ONLY_THE_LABORATORY = "the protocol masks this test, so the laboratory alone enters and corrects it."


@dataclass(frozen=True)
class Entry:
    """One line of the grid: texts as typed, and what was said about the sample."""

    analyte: str
    value: str
    unit: str
    fasting: bool | None = None
    insulin_free: bool | None = None


@dataclass(frozen=True)
class Collection:
    """What all lines of a grid share. `at` is UTC; None when only the day is known."""

    on: date
    at: datetime | None = None
    laboratory: Laboratory | None = None
    accession: str = ""
    comment: str = ""


def record_results(
    *,
    patient: Patient,
    visit: Visit | None,
    collection: Collection,
    entries: Sequence[Entry],
    by: User,
    now: datetime,
    form_token: str = "",
) -> list[LabResult]:
    """Stores what was typed, settles the visit, works out the indices. Raises UnitError for a line that cannot be read.

    A second submit of one form (`form_token`) stores nothing and returns the first's results.
    """
    by.require("labs.record", patient.site_id)
    if first := _made_by(form_token, patient):
        return first
    refuse_masked(by, patient.site_id, [entry.analyte for entry in entries])
    results = build_results(patient=patient, visit=visit, collection=collection, entries=entries)
    _give_keys(patient, results)
    for result in results:
        result.form_token = form_token
    try:
        with transaction.atomic():
            LabResult.objects.bulk_create(results)
    except (
        IntegrityError
    ) as taken:  # the second of two clicks, or the same result entered twice, at one moment
        if first := _made_by(form_token, patient):
            return first
        raise NotAccepted("", "One of these results was saved by somebody else at this moment.") from taken
    open_queries(doubts_about(results), now=now)
    settle_visits([patient.pk])
    recompute([patient.pk], now=now)
    return results


def refuse_masked(by: User, site: int, analytes: Iterable[str]) -> None:
    """Raises UnitError: what the protocol masks is entered by the laboratory alone."""
    hidden = hidden_from(by, LabResult, site)
    for text in analytes if hidden else ():
        analyte = find_analyte(text)
        if analyte.code in hidden:
            raise UnitError(MASKED, f"{analyte.label}: {ONLY_THE_LABORATORY}")


def _made_by(form_token: str, patient: Patient) -> list[LabResult]:
    made_by(LabResult, form_token, patient=patient)
    return list(LabResult.objects.filter(form_token=form_token).order_by("pk")) if form_token else []


def build_results(
    *, patient: Patient, visit: Visit | None, collection: Collection, entries: Sequence[Entry]
) -> list[LabResult]:
    """The rows that would be stored. Raises UnitError."""
    return [_build(patient, visit, collection, entry) for entry in entries]


def _build(patient: Patient, visit: Visit | None, collection: Collection, entry: Entry) -> LabResult:
    received = _read(entry, patient, collection.laboratory)
    is_laboratory_test = received.analyte.group not in NOT_FROM_A_LABORATORY
    return LabResult(
        patient=patient,
        site_id=patient.site_id,
        visit=visit,
        collected_on=collection.on,
        collected_at=collection.at,
        laboratory=collection.laboratory if is_laboratory_test else None,
        accession=collection.accession if is_laboratory_test else "",
        comment=collection.comment,
        fasting=entry.fasting,
        insulin_free=entry.insulin_free,
        source=LabResult.Source.FORM,
        **received.columns(),
    )


def _read(entry: Entry, patient: Patient, laboratory: Laboratory | None) -> Received:
    return read_result(
        analyte=entry.analyte,
        value=entry.value,
        unit=entry.unit,
        sex=patient.sex_at_birth,
        insulin_pmol_per_miu=factor_of(laboratory),
    )


def factor_of(laboratory: Laboratory | None) -> Decimal:
    return Decimal(laboratory.insulin_pmol_per_mu) if laboratory else DEFAULT_INSULIN_PMOL_PER_MIU


def _give_keys(patient: Patient, results: Sequence[LabResult]) -> None:
    """The key a file would give the same result, so that an exported result comes back as unchanged."""
    for result in results:
        same = LabResult.objects.filter(
            patient=patient,
            analyte=result.analyte,
            collected_on=result.collected_on,
            collected_at=result.collected_at,
        )
        result.import_key = import_key(
            laboratory=result.laboratory.name if result.laboratory else "",
            accession=result.accession,
            patient_id=patient.patient_id,
            collected=result.collected_at or result.collected_on,
            analyte=result.analyte,
            minutes=None,
            nth=same.count() + 1,
        )
        if LabResult.objects.filter(import_key=result.import_key).exists():
            label = ANALYTES[result.analyte].label
            raise UnitError(
                "already_recorded",
                f"{label} with accession {result.accession} of this laboratory is already recorded. Correct that result.",
            )


def doubts_about(results: Sequence[LabResult]) -> list[QueryFacts]:
    """Queries that stored results lead to: unusual values, and fasting tests that say otherwise."""
    found, masked = [], codes_of(LabResult)
    for result in results:
        analyte = ANALYTES[result.analyte]
        prefix = RULE if result.analyte in masked else ""
        if limit_check(analyte, result.canonical_value) == "soft":
            rule = prefix + OUT_OF_RANGE
            found.append(_doubt(result, Query.Kind.OUT_OF_RANGE, rule, "value", unusual(result)))
        if why := fasting_doubt(analyte, result.loinc, result.fasting):
            kind = Query.Kind.MISSING if result.fasting is None else Query.Kind.CONTRADICTION
            found.append(_doubt(result, kind, prefix + FASTING, "fasting", why))
    return found


def unusual(result: LabResult) -> str:
    """In the words of the query."""
    return f"{result} is unusual: confirm it with the laboratory or correct it"


def _doubt(result: LabResult, kind: str, rule: str, field: str, why: str) -> QueryFacts:
    return QueryFacts(
        kind=kind,
        rule=rule,
        record=record_of(result),
        reason=why,
        patient_id=result.patient_id,
        site_id=result.site_id,
        field=field,
    )


# Changing ----------------------------------------------------------------------------------------------------


def correct_result(
    *, result: LabResult, entry: Entry, reason: str, version: int, by: User, now: datetime
) -> None:
    """What stood there before stays in the trail. Raises UnitError, and ChangedMeanwhile when somebody else was first."""
    by.require("labs.record", result.site_id)
    refuse_masked(by, result.site_id, [result.analyte])
    received = _read(
        replace(entry, analyte=result.loinc or result.analyte), result.patient, result.laboratory
    )
    changes = {**received.columns(), "fasting": entry.fasting, "insulin_free": entry.insulin_free}
    _change(result, changes, reason, version)
    result.refresh_from_db()
    for rule in DOUBTS:
        close_queries(rule=rule, records=[record_of(result)], now=now, because=reason, by=by)
    open_queries(doubts_about([result]), now=now)
    recompute([result.patient_id], now=now)


def withdraw_result(*, result: LabResult, reason: str, version: int, by: User, now: datetime) -> None:
    """For what was never this person's result. It stays in the trail and counts nowhere."""
    by.require("labs.record", result.site_id)
    refuse_masked(by, result.site_id, [result.analyte])
    _change(result, {"withdrawn_at": now}, reason, version)
    for rule in DOUBTS:
        close_queries(rule=rule, records=[record_of(result)], now=now, because=reason, by=by)
    recompute([result.patient_id], now=now)


def _change(result: LabResult, changes: dict[str, object], reason: str, version: int) -> None:
    refuse_if_locked(result)
    with because(reason):
        rows = LabResult.objects.filter(pk=result.pk, version=version, withdrawn_at=None)
        if not rows.update(**changes, version=F("version") + 1):
            raise ChangedMeanwhile("Somebody else changed this result after you opened it.")


def change_insulin_factor(
    *, laboratory: Laboratory, pmol_per_miu: Decimal, version: int, reason: str, by: User, now: datetime
) -> int:
    """The laboratory's insulin results in pmol/L are converted anew; returns how many changed. ChangedMeanwhile when
    somebody else was first.
    """
    by.require("settings.sites")
    with because(reason):
        claim_version(laboratory, version)
        laboratory.insulin_pmol_per_mu = pmol_per_miu
        laboratory.save()
        changed = []
        rows = LabResult.objects.filter(laboratory=laboratory, analyte="fasting_insulin", withdrawn_at=None)
        for result in rows.select_related("patient").order_by("pk"):
            entry = Entry(result.analyte, result.value_received, result.unit_received)
            received = _read(entry, result.patient, laboratory)
            if received.canonical_value != result.canonical_value:
                result.canonical_value, result.conversion = received.canonical_value, received.conversion
                result.flag = received.flag
                changed.append(result)
        LabResult.objects.bulk_update(changed, ["canonical_value", "conversion", "flag"], batch_size=500)
        patients = LabResult.objects.filter(laboratory=laboratory, analyte="fasting_insulin")
        recompute(patients.order_by().values_list("patient_id", flat=True).distinct(), now=now)
    return len(changed)
