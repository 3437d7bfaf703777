"""One record of each kind that can be signed, with a row of every table its content is made of."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import models

from followup.labs.models import Laboratory, LabResult
from followup.neoplasia.models import CheckItem, NeoplasiaCheck, Neoplasm, WorkUpNote
from followup.reports.actions import reports_folder
from followup.reports.models import ReportRun
from followup.safety.models import AdverseEvent, EventAssessment
from followup.schedule.models import Visit, VisitAssessment
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.patients.models import Patient, Query
from registry.signatures.actions import sign
from registry.signatures.models import Meaning, Signature
from registry.signatures.signable import content_of
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import infuse, planned, visit_of

HELD = date(2030, 4, 20)


def a_visit(site: Site, by: User) -> Visit:
    """Held, with its results, its check and a deviation; the insulin dose still awaits its result."""
    patient = planned(site)
    visit = visit_of(patient, "M3")
    Visit.objects.filter(pk=visit.pk).update(
        actual_date=HELD, contact_mode="on_site", state="done", note="Seen", out_of_window=False
    )
    VisitAssessment.objects.filter(visit=visit).update(state="done", on_date=HELD)
    Query.objects.create(
        patient=patient, site=site, kind="deviation", rule="visit_out_of_window", field="actual_date",
        record=f"schedule.visit:{visit.pk}", reason="Held outside its window", opened_at=NOW,
    )  # fmt: skip
    a_result(visit, "weight", "81", "kg")
    a_check(visit, by)
    visit.refresh_from_db()
    return visit


def a_check(visit: Visit, by: User) -> NeoplasiaCheck:
    check = NeoplasiaCheck.objects.create(
        patient=visit.patient, site=visit.site, visit=visit, on_date=HELD, contact_mode="on_site",
        outcome="no_suspicion", recorded_by=by, recorded_at=NOW, form_token=f"check-{visit.pk}",
    )  # fmt: skip
    CheckItem.objects.create(check_form=check, item="skin", status="done", result="normal")
    return check


def a_result(visit: Visit, analyte: str, value: str, unit: str, **given: Any) -> LabResult:
    laboratory, _ = Laboratory.objects.get_or_create(name="Central")
    return LabResult.objects.create(
        patient=visit.patient, site=visit.site, visit=visit, analyte=analyte, collected_on=HELD, value_received=value,
        unit_received=unit, value=Decimal(value), canonical_value=Decimal(value), canonical_unit=unit,
        laboratory=laboratory, source="form", **given,
    )  # fmt: skip


def an_event(site: Site, by: User) -> AdverseEvent:
    patient = a_person(site)
    event = AdverseEvent.objects.create(
        patient=patient, site=site, term="Fever", onset_date="2030-05-01", event_ref="E1", severity_grade=2,
        is_serious=False, outcome="recovered", infusion=infuse(patient),
    )  # fmt: skip
    EventAssessment.objects.create(
        event=event, capacity="investigator", relatedness_cells="possible", relatedness_procedure="unlikely",
        expectedness="expected", is_serious=False, reason="Judged", assessed_by=by, assessed_at=NOW,
    )  # fmt: skip
    return event


def a_case(site: Site, by: User) -> Neoplasm:
    case = Neoplasm.objects.create(
        patient=a_person(site), site=site, case_ref="N1", status="benign", description="Nodule of the thyroid",
        suspected_on="2030-06-01", morphology="8330/0", behaviour="0", closed_on=date(2030, 8, 1), closed_by=by,
        conclusion="Adenoma",
    )  # fmt: skip
    WorkUpNote.objects.create(
        neoplasm=case, on_date=date(2030, 6, 5), kind="imaging", text="Ultrasound", recorded_by=by, recorded_at=NOW,
        form_token="note",
    )  # fmt: skip
    return case


def a_report(site: Site, by: User) -> ReportRun:
    """On all sites; its files lie where the product would have put them."""
    digests = {}
    for name, content in (("signed.pdf", b"%PDF-1.7 pages"), ("signed.json", b"{}")):
        (reports_folder() / name).write_bytes(content)
        digests[name] = hashlib.sha256(content).hexdigest()
    return ReportRun.objects.create(
        kind="safety", period_from=date(2030, 1, 1), period_to=date(2030, 12, 31), state="done", pages=3,
        stored_as="signed.pdf", pdf_sha256=digests["signed.pdf"], numbers_stored_as="signed.json",
        numbers_sha256=digests["signed.json"], requested_by=by, requested_at=NOW, finished_at=NOW, form_token="run",
    )  # fmt: skip


def some_others(site: Site, by: User) -> None:
    """Rows that a part can be filed to by mistake: of another person, with nothing below them."""
    patient = a_person(site)
    Visit.objects.create(patient=patient, site=site, state="done", actual_date=HELD, created_on=HELD)
    AdverseEvent.objects.create(
        patient=patient, site=site, term="Cough", onset_date="2030-05-02", infusion=infuse(patient)
    )
    Laboratory.objects.create(name="Other")
    facts = {"patient": patient, "site": site}
    check = NeoplasiaCheck.objects.create(
        on_date=HELD, contact_mode="phone", outcome="no_suspicion", recorded_by=by, recorded_at=NOW,
        form_token="other", **facts,
    )  # fmt: skip
    Neoplasm.objects.create(
        case_ref="N2", description="Mole", suspected_on="2030-06-01", found_at_check=check, **facts
    )


def a_person(site: Site) -> Patient:
    number = Patient.objects.count() + 50
    return Patient.objects.create(
        patient_id=f"{site.code}-{number:04}", site=site, status="in_follow_up", created_at=NOW
    )


MAKERS = {
    "schedule.visit": a_visit,
    "safety.adverseevent": an_event,
    "neoplasia.neoplasm": a_case,
    "reports.reportrun": a_report,
}


def signed(row: models.Model, by: User, meaning: str = Meaning.REVIEW, form: str = "signed") -> Signature:
    with acting_as(by, channel="web"):
        return sign(
            row=row, meaning=meaning, digest=content_of(row).sha256, form_token=form, by=by,
            now=NOW - timedelta(hours=1),
        )  # fmt: skip


def changed(row: models.Model, field: models.Field[Any, Any]) -> Any:
    """Another value of this field than the row holds, as an edit of it would leave."""
    now = field.value_from_object(row)
    if isinstance(field, models.ForeignKey):
        return _other_row(field, now)
    if field.choices:
        return next(code for code, _ in field.flatchoices if code not in (now, "planned", "", None))
    if isinstance(field, models.BooleanField):
        return not now
    if isinstance(field, models.DateTimeField):
        return (now or NOW) + timedelta(hours=1)
    if isinstance(field, models.DateField):
        return (now or TODAY) + timedelta(days=1)
    if isinstance(field, (models.IntegerField, models.DecimalField)):
        return (now or 0) + 1
    if type(field).__name__ == "PartialDateField":
        return "2030-07"
    return f"{now}~"[-(field.max_length or 100) :]


def _other_row(field: models.ForeignKey[Any, Any], now: Any) -> Any:
    others = (
        field.related_model._base_manager.exclude(pk=now) if isinstance(field.related_model, type) else None
    )
    other = others.order_by("-pk").first() if others is not None else None
    if other is not None:
        return other.pk
    assert field.null, f"no other row for {field}"
    return None
