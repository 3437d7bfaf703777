"""The neoplasia checks of a made-up person, and the three findings the demo shows: open, excluded, confirmed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta

from config.demo.stories import Story
from followup.neoplasia.actions import add_work_up_note, close_neoplasm, record_case_event, record_check
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.neoplasia.rules import HISTORY, IMAGING, PHYSICAL, SCREENING, items_for
from followup.schedule.models import Visit
from registry import clock
from registry.access.models import User
from registry.patients.models import Patient

At = Callable[[datetime], AbstractContextManager[None]]
FINDINGS = {
    "suspicion": "CA 19-9 above three times the limit with weight loss; pancreas to be imaged",
    "excluded": "Nodule in the right lobe of the thyroid",
    "confirmed": "Positive faecal blood test with a mass in the sigmoid colon",
}


def record_checks(story: Story, patient: Patient, today: date, *, at: At) -> None:
    visits = Visit.objects.filter(patient=patient, neoplasia_check=True).exclude(actual_date=None)
    held = list(visits.select_related("patient__site").order_by("actual_date", "pk"))
    found_at = _visit_of_finding(story, held)
    for visit in held:
        day = visit.actual_date or today
        with at(datetime.combine(day, time(16), tzinfo=UTC)):
            visit.refresh_from_db()
            _check(story, visit, day, FINDINGS[story.kind] if visit is found_at else "")
    for case in Neoplasm.objects.filter(patient=patient).order_by("pk"):
        _work_up(story, case, today, at=at)


def _visit_of_finding(story: Story, held: list[Visit]) -> Visit | None:
    """The open suspicion is recent; the two settled ones lie in the middle of the follow-up."""
    if story.kind not in FINDINGS or not held:
        return None
    return held[-1] if story.kind == "suspicion" else held[len(held) // 2]


def _check(story: Story, visit: Visit, day: date, finding: str) -> None:
    patient = visit.patient
    on_site = visit.contact_mode == "on_site"
    items = items_for(sex=story.sex, organs_absent=(), age=patient.age_on(day))
    record_check(
        patient=patient, visit=visit, on_date=day, contact_mode=visit.contact_mode,
        outcome=NeoplasiaCheck.Outcome.SUSPICION if finding else NeoplasiaCheck.Outcome.NO_SUSPICION,
        answers={item.code: _answer(item.section, on_site=on_site) for item in items},
        finding=finding, by=_person("nurse", story), now=clock.now(), form_token=f"demo-{visit.pk}",
    )  # fmt: skip


def _answer(section: str, *, on_site: bool) -> str:
    if section in (PHYSICAL, IMAGING):
        return "normal" if on_site else "not_done"
    return {HISTORY: "no", SCREENING: "up_to_date"}.get(section, "normal")


def _work_up(story: Story, case: Neoplasm, today: date, *, at: At) -> None:
    suspected = date.fromisoformat(case.suspected_on)
    imaged = min(suspected + timedelta(days=9), today)
    with at(datetime.combine(imaged, time(11), tzinfo=UTC)):
        add_work_up_note(
            case=case, kind="imaging", on_date=imaged, text="Imaging requested and done; report filed.",
            form_token=f"demo-note-{case.pk}", by=_person("doctor", story), now=clock.now(),
        )  # fmt: skip
    if story.kind == "suspicion":
        return
    closed = min(suspected + timedelta(days=38), today)
    conclusion = {"status": "excluded", "conclusion": "Fine-needle aspiration benign; ultrasound stable after six weeks."}
    if story.kind == "confirmed":
        conclusion = {
            "status": "malignant", "topography": "C18.7", "morphology": "8140/3", "donor_origin": "recipient",
            "diagnosed_on": (suspected + timedelta(days=21)).isoformat(), "basis_of_diagnosis": "histology of the primary",
            "conclusion": "Adenocarcinoma of the sigmoid colon; STR profile of the tumour is the recipient's.",
        }  # fmt: skip
    with at(datetime.combine(closed, time(11), tzinfo=UTC)):
        case.refresh_from_db()
        doctor = _person("doctor", story)
        close_neoplasm(case=case, conclusion=conclusion, version=case.version, by=doctor, now=clock.now())
        if story.kind == "confirmed":
            case.refresh_from_db()
            record_case_event(case=case, by=doctor, now=clock.now())


def _person(role: str, story: Story) -> User:
    return User.objects.get(username=f"{role}-{story.site.lower()}")
