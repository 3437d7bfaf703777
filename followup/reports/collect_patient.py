"""The numbers of one patient's report, collected from the registry at a cut-off: usually today at the site."""

from collections.abc import Iterable
from datetime import date

from followup.labs.models import DerivedValue, LabResult
from followup.labs.series import Point, baseline_kind, baselines, series
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.reports import patient_numbers as shape
from followup.reports.patient_signatures import collect_signatures
from followup.reports.provenance import cover, versions
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit, WorkItem
from registry import partial_dates
from registry.access.blinding import about_product
from registry.access.masking import about_masked, codes_of, unmasked
from registry.access.models import Registry
from registry.clock import local_date
from registry.handover.history import transfers_of
from registry.handover.models import Transfer
from registry.infusions.models import Infusion
from registry.partial_dates import in_words
from registry.patients.identity import identity_of
from registry.patients.models import Consent, Enrolment, Patient, Query, Status, StatusEvent
from registry.patients.queries import record_of
from registry.patients.rules import is_baseline

TITLE = "Patient report"
MILLION = 1_000_000
# Series of the report: the analyte or index, and the decimals a reader needs.
SERIES = {
    "hba1c_percent": ("hba1c", 1),
    "c_peptide_nmol_l": ("fasting_c_peptide", 2),
    "insulin_iu_per_day": ("insulin_daily_dose", 1),
    "insulin_iu_per_kg_day": ("insulin_iu_per_kg_day", 2),
}


def collect_patient(*, patient: Patient, cut_off: date, with_identifiers: bool) -> shape.PatientNumbers:
    """Reading identifiers is the caller's to allow and to record in the trail."""
    infusions = _infusions(patient, cut_off)
    treated = date.fromisoformat(infusions[0]["infused_on"]) if infusions else None
    schedule = _schedule(patient, cut_off)
    lines = _series(patient, cut_off, treated)
    numbers: shape.PatientNumbers = {
        "schema": shape.PATIENT_SCHEMA,
        "cover": cover(
            title=TITLE,
            sites=[patient.site],
            period_from=None,
            cut_off=cut_off,
            is_pseudonymised=not with_identifiers,
        ),
        "patient": _patient(patient, cut_off, schedule, with_identifiers=with_identifiers),
        "status_history": _status_history(patient, cut_off),
        "consents": _consents(patient, cut_off),
        "infusions": infusions,
        "hba1c_percent": lines["hba1c_percent"],
        "c_peptide_nmol_l": lines["c_peptide_nmol_l"],
        "insulin_iu_per_day": lines["insulin_iu_per_day"],
        "insulin_iu_per_kg_day": lines["insulin_iu_per_kg_day"],
        "derived": _derived(patient, cut_off, treated),
        "schedule": schedule,
        "events": _events(patient, cut_off),
        "neoplasia_checks": _checks(patient, cut_off),
        "open_matters": _open_matters(patient, cut_off),
        "signatures": collect_signatures(patient, cut_off),
        "versions": versions(),
    }
    if Registry.current().blinded:
        numbers["product_hidden"] = True
        numbers["masked"] = _masked_series()
    return numbers


def _masked_series() -> list[str]:
    hidden = codes_of(LabResult) | codes_of(DerivedValue)
    return [name for name, (code, _) in SERIES.items() if code in hidden]


# Who it is ---------------------------------------------------------------------------------------------------


def _patient(
    patient: Patient, cut_off: date, schedule: Iterable[shape.ScheduleRow], *, with_identifiers: bool
) -> shape.PatientBlock:
    enrolment = Enrolment.objects.filter(patient=patient).first()
    history = _status_history(patient, cut_off)
    now = history[-1] if history else {"status": str(patient.status), "on_date": ""}
    held = [row["actual_date"] for row in schedule if row["actual_date"]]
    waiting = [row for row in schedule if row["status"] in ("planned", "open", "late")]
    ahead = [row["target_date"] for row in waiting if row["status"] != "late"]
    return {
        "patient_id": patient.patient_id,
        "site": _site(patient, cut_off),
        "sex": patient.sex_at_birth,
        "birth_year": patient.birth_year,
        "identity": _identity(patient) if with_identifiers else None,
        "status": now["status"],
        "status_since": now["on_date"],
        "enrolled_on": enrolment.enrolled_on.isoformat() if enrolment else None,
        "diabetes_since": (enrolment.diabetes_diagnosis_date or None) if enrolment else None,
        "last_contact": max(held, default=None),
        "next_visit": min(ahead or [row["target_date"] for row in waiting], default=None),
    }


def _site(patient: Patient, cut_off: date) -> str:
    """Where the person is now, and from where and when they came."""
    came = [
        f"from {one.from_site} on {in_words(one.moves_on)}"
        for one in reversed(transfers_of(patient))
        if one.state == Transfer.State.ACCEPTED and one.moves_on <= cut_off
    ]
    return f"{patient.site.name} ({', then '.join(came)})" if came else patient.site.name


def _identity(patient: Patient) -> shape.Identity:
    facts = identity_of(patient)
    return {
        "full_name": facts.full_name,
        "birth_date": facts.birth_date,
        "local_id": facts.local_id,
        "phone": facts.phone,
    }


def _status_history(patient: Patient, cut_off: date) -> list[dict[str, str]]:
    events = StatusEvent.objects.filter(patient=patient)
    ordered = sorted(events, key=lambda event: (partial_dates.latest(event.on_date), event.pk))
    return [
        {"status": event.status, "on_date": event.on_date, "reason": event.reason}
        for event in ordered
        if partial_dates.earliest(event.on_date) <= cut_off
    ]


def _consents(patient: Patient, cut_off: date) -> list[shape.ConsentRow]:
    """A withdrawal ends every consent signed before it."""
    withdrawals = StatusEvent.objects.filter(patient=patient, status=Status.WITHDRAWN).order_by(
        "on_date", "pk"
    )
    rows: list[shape.ConsentRow] = []
    consents = Consent.objects.filter(patient=patient, signed_on__lte=cut_off).select_related("document")
    for consent in consents.order_by("signed_on", "pk"):
        signed = consent.signed_on.isoformat()
        end = next((one for one in withdrawals if signed <= one.on_date <= cut_off.isoformat()), None)
        rows.append({
            "version": consent.document.version,
            "language": consent.language,
            "signed_on": signed,
            "tiers": [words for name, words in Consent.TIERS.items() if getattr(consent, name)],
            "withdrawn_on": end.on_date if end else None,
            "scope": end.scope or None if end else None,
        })  # fmt: skip
    return rows


# What was given and measured ---------------------------------------------------------------------------------


def _infusions(patient: Patient, cut_off: date) -> list[shape.InfusionRow]:
    given = Infusion.objects.filter(patient=patient, infused_on__lte=cut_off).prefetch_related("doses__lot")
    ordered = list(given.order_by("infused_on", "infused_at", "pk"))
    is_open = not Registry.current().blinded
    deviations = _deviations(ordered, is_open)
    return [
        _infusion(number, one, deviations.get(record_of(one), []), is_open)
        for number, one in enumerate(ordered, start=1)
    ]


def _deviations(infusions: Iterable[Infusion], is_open: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    queries = Query.objects.filter(
        record__in=[record_of(one) for one in infusions], kind=Query.Kind.DEVIATION
    )
    if not is_open:
        queries = queries.exclude(about_product())
    for record, reason in queries.order_by("opened_at", "pk").values_list("record", "reason"):
        found.setdefault(record, []).append(reason)
    return found


def _infusion(number: int, one: Infusion, deviations: list[str], is_open: bool) -> shape.InfusionRow:
    """A blinded protocol leaves lot, source and dose empty."""
    doses = list(one.doses.all()) if is_open else []
    total, viable = sum(dose.cells_total for dose in doses), sum(dose.viable_cells for dose in doses)
    note = f": {one.reaction_note}" if one.reaction_note else ""
    return {
        "number": number,
        "infused_on": one.infused_on.isoformat(),
        "lot": ", ".join(dose.lot.code for dose in doses) or None,
        "tissue_source": ", ".join(sorted({str(dose.tissue_source) for dose in doses})) or None,
        "route": one.route,
        "cells_total_million": round(total / MILLION, 3) if doses else None,
        "viability_percent": round(100 * viable / total, 2) if total else None,
        "weight_kg": float(one.weight_kg),
        "viable_million_cells_per_kg": round(float(sum(d.viable_cells_per_kg for d in doses)) / MILLION, 4)
        if doses
        else None,
        "reaction": f"{one.get_reaction_display()}{note}" if one.reaction else "",
        "deviations": deviations,
    }


def _series(patient: Patient, cut_off: date, treated: date | None) -> dict[str, shape.Series]:
    points = [
        one for one in series([patient.pk], [code for code, _ in SERIES.values()]) if one.day <= cut_off
    ]
    before = baselines(points, {patient.pk: treated} if treated else {})
    found: dict[str, shape.Series] = {}
    for name, (code, decimals) in SERIES.items():
        own = [one for one in points if one.code == code]
        value = before.get((patient.pk, code))
        found[name] = {
            "baseline": None if value is None else round(float(value), decimals),
            "baseline_on": _baseline_day(own, treated),
            "points": [
                {
                    "date": one.day.isoformat(),
                    "value": round(float(one.value), decimals),
                    "comparator": one.comparator,
                }
                for one in own
            ],
        }
    return found


def _baseline_day(points: Iterable[Point], treated: date | None) -> str | None:
    days = [
        one.day
        for one in points
        if treated and not one.comparator and is_baseline(baseline_kind(one.code), one.day, treated)
    ]
    return max(days).isoformat() if days else None


def _derived(patient: Patient, cut_off: date, treated: date | None) -> list[shape.DerivedRow]:
    """The latest of each index, with why it must not be read where that is so."""
    latest: dict[str, DerivedValue] = {}
    values = unmasked(DerivedValue.objects.filter(patient=patient, on_date__lte=cut_off))
    for value in values.order_by("on_date", "at", "pk"):
        latest[value.code] = value
    points = series([patient.pk], latest)
    before = baselines(points, {patient.pk: treated} if treated else {})
    return [_derived_row(latest[code], before.get((patient.pk, code))) for code in sorted(latest)]


def _derived_row(value: DerivedValue, baseline: object) -> shape.DerivedRow:
    return {
        "code": value.code,
        "unit": value.unit,
        "at": value.on_date.isoformat(),
        "value": None if value.value is None else round(float(value.value), 3),
        "baseline": None if baseline is None else round(float(str(baseline)), 3),
        "status": value.status,
        "reason": value.reason,
        "formula_version": value.formula_version,
    }


# What was planned and found ----------------------------------------------------------------------------------


def _schedule(patient: Patient, cut_off: date) -> list[shape.ScheduleRow]:
    visits = Visit.objects.filter(patient=patient).select_related("timepoint")
    rows = [_schedule_row(visit, cut_off) for visit in visits.order_by("pk")]
    return sorted(
        rows,
        key=lambda row: (row["target_date"] or row["actual_date"] or "", row["visit_code"], row["sequence"]),
    )


def _schedule_row(visit: Visit, cut_off: date) -> shape.ScheduleRow:
    status = visit.status_on(cut_off)
    is_late = status == "late" and visit.window_closes is not None
    return {
        "visit_code": visit.visit_code,
        "label": visit.label,
        "sequence": visit.sequence,
        "target_date": _iso(visit.target_date) or "",
        "window_opens": _iso(visit.window_opens) or "",
        "window_closes": _iso(visit.window_closes) or "",
        "status": status,
        "actual_date": _iso(visit.actual_date),
        "days_late": (cut_off - visit.window_closes).days if is_late and visit.window_closes else None,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _events(patient: Patient, cut_off: date) -> list[shape.PatientEventRow]:
    events = AdverseEvent.objects.standing().filter(patient=patient).order_by("onset_date", "pk")
    return [
        {
            "event_ref": event.event_ref or f"AE-{event.pk}",
            "term": event.term,
            "grade": str(event.severity_grade) if event.severity_grade else None,
            "is_serious": event.counts_as_serious,
            "onset_date": event.onset_date,
            "end_date": event.end_date or None,
            "outcome": event.outcome,
            "relatedness_cells": event.relatedness_cells or None,
        }
        for event in events
        if partial_dates.earliest(event.onset_date) <= cut_off
    ]


def _checks(patient: Patient, cut_off: date) -> list[shape.NeoplasiaCheckRow]:
    checks = NeoplasiaCheck.objects.filter(patient=patient, on_date__lte=cut_off).select_related("visit")
    return [
        {
            "on_date": check.on_date.isoformat(),
            "visit_code": check.visit.visit_code if check.visit else "",
            "contact_mode": check.contact_mode,
            "completeness": "partial" if check.is_partial else "complete",
            "result": check.get_outcome_display(),
        }
        for check in checks.order_by("on_date", "pk")
    ]


def _open_matters(patient: Patient, cut_off: date) -> list[shape.OpenMatter]:
    zone = patient.site.time_zone
    asked = Query.objects.filter(patient=patient).exclude(status=Query.State.CLOSED)
    work = WorkItem.objects.open().filter(patient=patient)
    if Registry.current().blinded:
        asked, work = asked.exclude(about_product()).exclude(about_masked()), work.neutral()
    cases: list[shape.OpenMatter] = [
        {
            "kind": "suspicion",
            "text": f"{case.case_ref}: {case.get_status_display()}",
            "since": case.suspected_on,
            "due_on": None,
        }
        for case in Neoplasm.objects.open().filter(patient=patient).order_by("suspected_on", "pk")
        if partial_dates.earliest(case.suspected_on) <= cut_off
    ]
    tasks: list[shape.OpenMatter] = [
        {
            "kind": "task",
            "text": item.title,
            "since": local_date(item.opened_at, zone).isoformat(),
            "due_on": item.due_on.isoformat(),
        }
        for item in work.order_by("due_on", "pk")
    ]
    queries: list[shape.OpenMatter] = [
        {
            "kind": "query",
            "text": query.reason,
            "since": local_date(query.opened_at, zone).isoformat(),
            "due_on": None,
        }
        for query in asked.order_by("opened_at", "pk")
    ]
    return [*cases, *tasks, *queries]
