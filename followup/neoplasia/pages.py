"""What the pages of checks and cases show, as plain rows and words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from followup.neoplasia.models import CheckItem, NeoplasiaCheck, Neoplasm
from followup.neoplasia.rules import ANSWERS, DAYS_TO_CLOSE, ITEM_BY_CODE, SECTIONS
from registry.access.models import User
from registry.partial_dates import earliest
from registry.patients.models import Patient, Query
from registry.patients.queries import record_of

STATUS_KINDS = {
    Neoplasm.Status.SUSPECTED: "alarm",
    Neoplasm.Status.WORK_UP: "alarm",
    Neoplasm.Status.EXCLUDED: "done",
    Neoplasm.Status.BENIGN: "done",
    Neoplasm.Status.MALIGNANT: "late",
    Neoplasm.Status.UNDETERMINED: "late",
}
OUTCOME_KINDS = {
    NeoplasiaCheck.Outcome.NO_SUSPICION: "done",
    NeoplasiaCheck.Outcome.SUSPICION: "alarm",
    NeoplasiaCheck.Outcome.CONFIRMED: "alarm",
}
INCIDENT = {
    True: "Incident: found after the first infusion",
    False: "Prevalent: known before the first infusion, listed but not counted",
    None: "Cannot be said yet",
}
BEHAVIOURS = {
    "0": "benign", "1": "uncertain", "2": "in situ", "3": "malignant, primary", "6": "metastatic",
    "9": "malignant, primary or metastatic",
}  # fmt: skip
ASK_AT_SUSPICION = (
    "Keep tumour tissue",
    "See that DNA of patient and donor exists",
    "Ask for the pathology report",
)


def filtered(cases: QuerySet[Neoplasm], asked: dict[str, Any]) -> QuerySet[Neoplasm]:
    if asked.get("site"):
        cases = cases.filter(site=asked["site"])
    which = asked.get("which")
    if which == "open":
        cases = cases.filter(status__in=Neoplasm.OPEN)
    elif which == "malignant":
        cases = cases.filter(status=Neoplasm.Status.MALIGNANT)
    elif which == "unassessed":
        cases = cases.filter(relatedness_cells="").exclude(status=Neoplasm.Status.EXCLUDED)
    elif which == "incident":
        cases = cases.filter(is_incident=True)
    return cases.select_related("patient", "site").order_by("closed_on", "-suspected_on", "-pk")


def row_of(case: Neoplasm) -> dict[str, Any]:
    return {
        "case": case,
        "kind": STATUS_KINDS[Neoplasm.Status(case.status)],
        "incident": INCIDENT[case.is_incident],
    }


def facts_of(case: Neoplasm) -> list[dict[str, str]]:
    facts = {
        "Topography": case.topography,
        "Morphology": case.morphology,
        "Behaviour": f"/{case.behaviour} {BEHAVIOURS.get(case.behaviour, '')}" if case.behaviour else "",
        "Basis of diagnosis": case.basis_of_diagnosis.replace("_", " "),
        "Donor-origin test": case.get_donor_origin_display(),
        "Source": case.source,
        "Counting": INCIDENT[case.is_incident],
    }
    return [{"label": label, "value": value} for label, value in facts.items()]


def close_by(case: Neoplasm) -> Any:
    return earliest(case.suspected_on) + timedelta(days=DAYS_TO_CLOSE)


def open_queries_about(case: Neoplasm, user: User) -> list[Query]:
    asked = Query.objects.visible_to(user).filter(record=record_of(case)).exclude(status=Query.State.CLOSED)
    return list(asked.order_by("opened_at", "pk"))


def sections_of(check: NeoplasiaCheck) -> list[dict[str, Any]]:
    rows: dict[str, list[dict[str, str]]] = {section: [] for section in SECTIONS}
    for item in check.items.all():
        known = ITEM_BY_CODE[item.item]
        rows[known.section].append({"label": known.label, "result": _words(item, known.section)})
    return [{"title": SECTIONS[section], "rows": listed} for section, listed in rows.items() if listed]


def _words(item: CheckItem, section: str) -> str:
    answer, _, detail = item.result.partition(": ")
    if item.status != CheckItem.Status.DONE:
        return ": ".join(word for word in (item.get_status_display(), item.result) if word)
    said = ANSWERS[section].get(answer, answer)
    return f"{said}: {detail}" if detail else said


def crumbs(case: Neoplasm, last: str = "") -> list[dict[str, str]]:
    trail = [
        {"label": "Safety", "url": reverse("safety:event_list")},
        {"label": "Neoplasms", "url": reverse("neoplasia:case_list")},
        {"label": case.case_ref, "url": reverse("neoplasia:case", args=[case.pk]) if last else ""},
    ]
    return [*trail, {"label": last, "url": ""}] if last else trail


def person_crumbs(patient: Patient, last: str) -> list[dict[str, str]]:
    return [
        {"label": "Safety", "url": reverse("safety:event_list")},
        {
            "label": patient.patient_id,
            "url": reverse("desk:patient_record", args=[patient.patient_id]),
        },
        {"label": last, "url": ""},
    ]
