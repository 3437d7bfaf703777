"""The neoplasia check: what was asked and examined, and when the person's status was last known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from followup.neoplasia.actions.cases import open_suspicion, report_neoplasm
from followup.neoplasia.models import CheckItem, NeoplasiaCheck
from followup.neoplasia.rules import IMAGING, ITEM_BY_CODE, PHYSICAL, is_partial, status_of, was_done
from followup.schedule.actions import Answer, record_visit
from followup.schedule.models import ContactMode, Visit, VisitAssessment
from registry.access.models import User
from registry.batches import batches
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.saving import NotAccepted, create_once, made_by
from registry.signatures.locks import refuse_if_locked

State = VisitAssessment.State
CONTACTED = (State.DONE, State.ELSEWHERE)


def record_check(
    *,
    patient: Patient,
    on_date: date,
    contact_mode: str,
    outcome: str,
    answers: Mapping[str, str],
    by: User,
    now: datetime,
    form_token: str,
    details: Mapping[str, str] | None = None,
    finding: str = "",
    diagnosed_on: str = "",
    note: str = "",
    visit: Visit | None = None,
) -> NeoplasiaCheck:
    """`answers` and `details` by item code. A suspicion (or a neoplasm said to be confirmed) needs `finding` in words.

    The same form sent twice gives the first check.
    """
    by.require("neoplasia.record", patient.site_id)
    if first := made_by(NeoplasiaCheck, form_token, patient=patient):
        return first
    _refuse(visit, patient, on_date, outcome, finding, now)
    check = NeoplasiaCheck(
        patient=patient, site=patient.site, visit=visit, on_date=on_date, contact_mode=contact_mode,
        outcome=outcome, is_partial=is_partial(contact_mode=contact_mode, answers=answers), note=note,
        recorded_by=by, recorded_at=now, form_token=form_token,
    )  # fmt: skip

    def make() -> NeoplasiaCheck:
        check.full_clean()
        check.save()
        CheckItem.objects.bulk_create(_items(check, answers, details or {}))
        if visit is not None:
            _answer_visit(visit, check, answers, by=by, now=now)
        _follow_finding(check, finding, diagnosed_on, by=by, now=now)
        return check

    return create_once(NeoplasiaCheck, form_token, make, patient=patient)


def _refuse(
    visit: Visit | None, patient: Patient, on_date: date, outcome: str, finding: str, now: datetime
) -> None:
    """Typing errors, and a check of a visit that is locked."""
    if visit is not None:
        refuse_if_locked(visit)
    if on_date > local_date(now, patient.site.time_zone):
        raise NotAccepted("on_date", "This day has not come yet; record the check after it was made.")
    if outcome != NeoplasiaCheck.Outcome.NO_SUSPICION and not finding.strip():
        raise NotAccepted("finding", "Say in a few words what is suspected or was found.")


def _items(
    check: NeoplasiaCheck, answers: Mapping[str, str], details: Mapping[str, str]
) -> Iterable[CheckItem]:
    for code, answer in answers.items():
        status = status_of(answer)
        words = [answer if status == "done" else "", details.get(code, "").strip()]
        result = ": ".join(word for word in words if word)
        yield CheckItem(check_form=check, item=ITEM_BY_CODE[code].code, result=result[:200], status=status)


def _follow_finding(
    check: NeoplasiaCheck, finding: str, diagnosed_on: str, *, by: User, now: datetime
) -> None:
    if check.outcome == NeoplasiaCheck.Outcome.SUSPICION:
        open_suspicion(
            patient=check.patient,
            description=finding,
            suspected_on=check.on_date,
            check=check,
            by=by,
            now=now,
        )
    elif check.outcome == NeoplasiaCheck.Outcome.CONFIRMED:
        report_neoplasm(
            patient=check.patient, description=finding, diagnosed_on=diagnosed_on or check.on_date.isoformat(),
            source=f"neoplasia check of {in_words(check.on_date)}", check=check, by=by, now=now,
        )  # fmt: skip


# The visit -----------------------------------------------------------------------------------------------------------


def _answer_visit(
    visit: Visit, check: NeoplasiaCheck, answers: Mapping[str, str], *, by: User, now: datetime
) -> None:
    """The check is done; examination and imaging only where they took place, so by phone they stay due."""
    if visit.state in (Visit.State.MISSED, Visit.State.NOT_REQUIRED):
        return
    done = ["neoplasia_check"]
    on_site = check.contact_mode == ContactMode.ON_SITE
    if on_site:
        done += ["physical_exam"] if was_done(answers, PHYSICAL) else []
        done += ["imaging"] if was_done(answers, IMAGING) else []
    asked = set(visit.assessments.filter(state=State.PENDING).values_list("code", flat=True))
    record_visit(
        visit=visit,
        actual_date=visit.actual_date or check.on_date,
        contact_mode=check.contact_mode if on_site or not visit.actual_date else visit.contact_mode,
        assessments={code: Answer(State.DONE, check.on_date) for code in done if code in asked},
        note=visit.note,
        by=by,
        now=now,
        version=visit.version,
        reason="Neoplasia check recorded" if visit.state == Visit.State.DONE else "",
    )


# What is known -------------------------------------------------------------------------------------------------------


def last_examined_on(patient: Patient) -> date | None:
    """When somebody last examined the person for growths; a phone check does not count."""
    checks = NeoplasiaCheck.objects.filter(patient=patient, is_partial=False)
    visits = VisitAssessment.objects.filter(visit__patient=patient, code="physical_exam", state__in=CONTACTED)
    days = [
        checks.order_by("on_date", "pk").values_list("on_date", flat=True).last(),
        visits.exclude(on_date=None).order_by("on_date", "pk").values_list("on_date", flat=True).last(),
    ]
    return max((day for day in days if day), default=None)


def status_known_on(patient_ids: Iterable[int], *, until: date | None = None) -> dict[int, date]:
    """The last day somebody looked or asked for a neoplasm, by patient key: a check, or the check answered at a visit.

    Person-time for neoplasia ends there. A contact that did not ask says nothing; people never asked are left out.
    """
    known: dict[int, date] = {}
    ids = sorted(set(patient_ids))
    for batch in batches(ids):
        for patient_id, day in _days_known(batch):
            if until is None or day <= until:
                known[patient_id] = max(day, known.get(patient_id, day))
    return known


def _days_known(ids: list[int]) -> Iterable[tuple[int, date]]:
    checks = NeoplasiaCheck.objects.filter(patient__in=ids).order_by("pk")
    yield from checks.values_list("patient_id", "on_date")
    answered = VisitAssessment.objects.filter(
        visit__patient__in=ids, code="neoplasia_check", state__in=CONTACTED, on_date__isnull=False
    )
    for patient_id, day in answered.order_by("pk").values_list("visit__patient_id", "on_date"):
        if day is not None:
            yield patient_id, day
