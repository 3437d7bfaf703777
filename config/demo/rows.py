"""The rows of a made-up person in the formats of the importers. Pure."""

from datetime import date, timedelta
from random import Random

from config.demo import cast
from config.demo.stories import Story, has_fever

Rows = list[dict[str, str]]
SERIOUS = {
    "term": "Pneumonia", "severity_grade": "3", "is_serious": "yes", "seriousness_criteria": "hospitalisation",
    "outcome": "recovered", "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely",
    "expectedness": "unexpected", "action_taken": "Antibiotics; further infusion postponed",
}  # fmt: skip
FATAL = {
    "term": "Myocardial infarction", "severity_grade": "5", "is_serious": "yes", "seriousness_criteria": "death",
    "outcome": "fatal", "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely", "expectedness": "expected",
}  # fmt: skip
MILD = ("Nausea", "Headache", "Abdominal pain", "Upper respiratory infection", "Bruising", "Hypoglycemia")


def site_rows(sites: list[tuple[str, str, str, str]]) -> Rows:
    return [
        {"code": code, "name": name, "country": country, "time_zone": zone}
        for code, name, country, zone in sites
    ]


def lot_rows(years: int, today: date, seed: int) -> Rows:
    """Four lots a year of three sources; the newest waits for its sterility result."""
    rows: Rows = []
    for year in range(today.year - years - 1, today.year + 1):
        for position, kind in enumerate(cast.LOT_KINDS, start=1):
            random = Random(f"{seed}:lot:{year}:{position}")
            released = date(year, 3 * position - 2, 10)
            if released > today:
                break
            rows.append({
                "lot": f"DEMO-{kind.prefix}-{year}-{position}", "donor": f"DEMO-DONOR-{year % 100}{position}",
                "donor_relation": "allogeneic_unrelated", "tissue_source": kind.tissue_source, "cell_type": kind.cell_type,
                "passage": str(kind.passage), "cryopreserved": "yes", "cells_total": "6000000000",
                "viability_percent": f"{random.uniform(88, 96):.1f}", "cd73_percent": f"{random.uniform(97, 99.6):.1f}",
                "cd90_percent": f"{random.uniform(97, 99.6):.1f}", "cd105_percent": f"{random.uniform(96, 99):.1f}",
                "cd45_percent": f"{random.uniform(0.1, 1.2):.1f}", "cd34_percent": f"{random.uniform(0.1, 0.9):.1f}",
                "cd14_percent": f"{random.uniform(0.1, 0.8):.1f}", "cd19_percent": f"{random.uniform(0.1, 0.7):.1f}",
                "hla_dr_percent": f"{random.uniform(0.1, 1.5):.1f}", "sterility": "no_growth",
                "mycoplasma": "negative", "endotoxin_eu_ml": f"{random.uniform(0.05, 0.4):.2f}", "karyotype": "normal",
                "released_on": released.isoformat(),
                "expires_on": (released + timedelta(days=730)).isoformat(),
            })  # fmt: skip
    rows[-1].update(sterility="pending", released_on="")
    return rows


def patient_row(story: Story) -> dict[str, str]:
    return {
        "site": story.site, "local_id": f"D{story.number:05d}", "given_name": story.given_name,
        "family_name": story.family_name, "birth_date": story.birth_date.isoformat(), "sex": story.sex,
        "phone": f"+44 1632 960{story.number % 1000:03d}", "email": f"person{story.number}@example.org",
        "diabetes_diagnosis_date": story.diagnosed, "enrolment_date": story.enrolled.isoformat(),
        "consent_version": "1.0" if story.enrolled.year % 2 else "1.1", "consent_date": story.enrolled.isoformat(),
        "height_cm": "164" if story.sex == "female" else "176", "weight_kg": f"{story.course.weight_kg:.1f}",
        "insulin_iu_per_day": f"{story.course.insulin_iu_per_day:.0f}",
    }  # fmt: skip


def treatment_rows(story: Story, patient_id: str, today: date) -> Rows:
    rows = [_drug(patient_id, "Metformin", "metformin", "2000", "mg", story.diagnosed)]
    if not story.takes_insulin:
        return rows
    dose = f"{story.course.insulin_iu_per_day:.0f}"
    insulin = _drug(patient_id, "Insulin glargine", "insulin", dose, "IU", str(story.enrolled.year - 2))
    rows.append(insulin)
    if story.kind == "insulin_restart" and story.first_cells:
        stopped = story.first_cells + timedelta(days=100)
        insulin.update(stop_date=stopped.isoformat(), reason="Fasting glucose at target")
        restarted = stopped + timedelta(days=330)
        if restarted < today:
            again = _drug(patient_id, "Insulin glargine", "insulin", "22", "IU", restarted.isoformat())
            rows.append(again | {"reason": "HbA1c rising again"})
    return rows


def event_rows(story: Story, patient_id: str, today: date, seed: int) -> Rows:
    random = story.random_for("events", seed)
    rows: Rows = []
    for position, cells in enumerate(story.cells):
        if has_fever(story, position, seed):
            ended, grade = cells.day + timedelta(days=1), random.choice("112")
            rows.append(
                _event(
                    patient_id, "Fever", cells.day, ended, severity_grade=grade, relatedness_cells="probable"
                )
            )
    if story.first_cells is None:
        return rows
    for _ in range(random.choice([0, 0, 1, 1, 2])):
        onset = story.first_cells + timedelta(days=random.randint(3, 700))
        if onset < (story.ends_on or today):
            ended = min(onset + timedelta(days=random.randint(1, 9)), today)
            rows.append(_event(patient_id, random.choice(MILD), onset, ended, severity_grade="2"))
    if story.kind == "serious_event":
        onset = min(story.first_cells + timedelta(days=45), today - timedelta(days=12))
        ended = min(onset + timedelta(days=11), today)
        rows.append(_event(patient_id, "", onset, ended, site_aware_at=onset.isoformat()) | SERIOUS)
    if story.kind == "deceased" and story.ends_on:
        rows.append(
            _event(patient_id, "", story.ends_on, story.ends_on, site_aware_at=story.ends_on.isoformat())
            | FATAL
        )
    return rows


def status_row(story: Story, patient_id: str) -> dict[str, str] | None:
    """How the story ends, if it has ended."""
    ends = {
        "withdrawn": ("withdrawn", "no_contact", "Moved abroad; allows records and linkage"),
        "never_infused": ("withdrawn", "no_new_data", "Changed their mind before any cells were given"),
        "deceased": ("deceased", "", "Myocardial infarction; certificate seen"),
    }
    if story.kind == "no_more_cells" and story.first_cells:
        day = story.first_cells + timedelta(days=200)
        return {"patient_id": patient_id, "status": "withdrawn", "on_date": day.isoformat(), "scope": "no_cells",
                "reason": "Wants no further infusion; follow-up goes on"}  # fmt: skip
    if story.kind not in ends or story.ends_on is None:
        return None
    status, scope, reason = ends[story.kind]
    return {
        "patient_id": patient_id,
        "status": status,
        "on_date": story.ends_on.isoformat(),
        "scope": scope,
        "reason": reason,
    }


def _event(patient_id: str, term: str, onset: date, ended: date, **more: str) -> dict[str, str]:
    return {
        "patient_id": patient_id, "term": term, "onset_date": onset.isoformat(), "end_date": ended.isoformat(),
        "severity_grade": "1", "is_serious": "no", "seriousness_criteria": "", "outcome": "recovered",
        "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely", "expectedness": "expected",
        "aware_at": ended.isoformat(), "site_aware_at": "", "action_taken": "", **more,
    }  # fmt: skip


def _drug(patient_id: str, drug: str, drug_class: str, dose: str, unit: str, start: str) -> dict[str, str]:
    return {
        "patient_id": patient_id, "drug": drug, "class": drug_class, "dose": dose, "unit": unit, "per": "day",
        "start_date": start, "stop_date": "", "reason": "", "prescribed_or_taken": "taken",
    }  # fmt: skip
