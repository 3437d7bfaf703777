"""The neoplasia checks of a made-up person, and the three findings the demo shows: open, excluded, confirmed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta

from config.demo.stories import Story
from followup.neoplasia.actions import add_work_up_note, close_neoplasm, record_case_event, record_check
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.neoplasia.rules import HISTORY, IMAGING, PHYSICAL, SCREENING, items_for
from followup.safety.actions import assess_event
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit
from registry.access.models import User
from registry.patients.models import Patient

At = Callable[[datetime], AbstractContextManager[datetime]]
FINDINGS = {
    "suspicion": "CA 19-9 above three times the limit with weight loss; pancreas to be imaged",
    "excluded": "Nodule in the right lobe of the thyroid",
    "confirmed": "Positive faecal blood test with a mass in the sigmoid colon",
}


def record_checks(story: Story, patient: Patient, today: date, *, at: At) -> None:
    visits = Visit.objects.filter(patient=patient, neoplasia_check=True).exclude(actual_date=None)
    held = list(visits.select_related("patient__site").order_by("actual_date", "pk"))
    settled = held[len(held) // 2] if story.kind in ("excluded", "confirmed") and held else None
    for visit in held:
        day = visit.actual_date or today
        with at(datetime.combine(day, time(16), tzinfo=UTC)) as now:
            visit.refresh_from_db()
            _check(
                story,
                patient,
                day,
                now,
                visit=visit,
                finding=FINDINGS[story.kind] if visit is settled else "",
            )
    if story.kind == "suspicion":
        day = today - timedelta(days=6)
        with at(datetime.combine(day, time(16), tzinfo=UTC)) as now:
            _check(story, patient, day, now, finding=FINDINGS[story.kind])
    for case in Neoplasm.objects.filter(patient=patient).order_by("pk"):
        _work_up(story, case, today, at=at)


def _check(
    story: Story, patient: Patient, day: date, now: datetime, *, visit: Visit | None = None, finding: str = ""
) -> None:
    """At a visit, or between visits when a complaint brought the person in."""
    mode = visit.contact_mode if visit else "on_site"
    items = items_for(sex=story.sex, organs_absent=(), age=patient.age_on(day))
    record_check(
        patient=patient, visit=visit, on_date=day, contact_mode=mode,
        outcome=NeoplasiaCheck.Outcome.SUSPICION if finding else NeoplasiaCheck.Outcome.NO_SUSPICION,
        answers={item.code: _answer(item.section, on_site=mode == "on_site") for item in items},
        finding=finding, by=_person("nurse", story), now=now,
        form_token=f"demo-{visit.pk}" if visit else f"demo-patient-{patient.pk}",
    )  # fmt: skip


def _answer(section: str, *, on_site: bool) -> str:
    if section in (PHYSICAL, IMAGING):
        return "normal" if on_site else "not_done"
    return {HISTORY: "no", SCREENING: "up_to_date"}.get(section, "normal")


def _work_up(story: Story, case: Neoplasm, today: date, *, at: At) -> None:
    suspected = date.fromisoformat(case.suspected_on)
    imaged = min(suspected + timedelta(days=4), today)
    with at(datetime.combine(imaged, time(11), tzinfo=UTC)) as now:
        add_work_up_note(
            case=case, kind="imaging", on_date=imaged, text="Imaging requested and done; report filed.",
            form_token=f"demo-note-{case.pk}", by=_person("doctor", story), now=now,
        )  # fmt: skip
    if story.kind == "suspicion":
        return
    closed = min(suspected + timedelta(days=38), today)
    conclusion = {
        "status": "excluded",
        "conclusion": "Fine-needle aspiration benign; ultrasound stable after six weeks.",
    }
    if story.kind == "confirmed":
        conclusion = {
            "status": "malignant", "topography": "C18.7", "morphology": "8140/3", "donor_origin": "recipient",
            "diagnosed_on": (suspected + timedelta(days=21)).isoformat(), "basis_of_diagnosis": "histology of the primary",
            "conclusion": "Adenocarcinoma of the sigmoid colon; STR profile of the tumour is the recipient's.",
        }  # fmt: skip
    with at(datetime.combine(closed, time(11), tzinfo=UTC)) as now:
        case.refresh_from_db()
        doctor = _person("doctor", story)
        close_neoplasm(case=case, conclusion=conclusion, version=case.version, by=doctor, now=now)
        if story.kind == "confirmed":
            case.refresh_from_db()
            assess(record_case_event(case=case, by=doctor, now=now), doctor, now)


def assess(event: AdverseEvent, doctor: User, now: datetime) -> None:
    """The investigator's judgement, so that the task on Today is done."""
    verdict = {
        "relatedness_cells": "possible" if event.is_special_interest else "unlikely", "relatedness_procedure": "unlikely",
        "expectedness": "unexpected", "is_serious": True, "seriousness_criteria": event.seriousness_criteria,
    }  # fmt: skip
    assess_event(
        event=event,
        verdict=verdict,
        version=event.version,
        reason="Judged by the investigator",
        by=doctor,
        now=now,
    )


def _person(role: str, story: Story) -> User:
    return User.objects.get(username=f"{role}-{story.site.lower()}")
