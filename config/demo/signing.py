"""What is signed in the demo: the newest visits, events and outcomes of each site; one visit corrected after it was signed,
and one with a result that came later.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice

from django.db import models

from followup.labs.actions import Collection, Entry, correct_result, record_results
from followup.labs.models import LabResult
from followup.neoplasia.models import Neoplasm
from followup.reports.actions import request_safety
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.signatures.actions import sign
from registry.signatures.models import Meaning
from registry.signatures.signable import content_of

VISITS, EVENTS = 4, 2


def sign_some(*, now: datetime) -> None:
    for site in Site.objects.order_by("pk"):
        doctor, nurse = (
            User.objects.get(username=f"{who}-{site.code.lower()}") for who in ("doctor", "nurse")
        )
        signed = _sign_visits(site, doctor, now)
        for event in (
            AdverseEvent.objects.filter(site=site).exclude(assessments=None).order_by("-pk")[:EVENTS]
        ):
            _sign(event, Meaning.REVIEW, doctor, now)
        for case in Neoplasm.objects.filter(site=site, status__in=Neoplasm.CLOSED).order_by("pk"):
            _sign(case, Meaning.RESPONSIBILITY, doctor, now)
        _correct_one(signed, nurse, now)
        _add_one_result(signed, nurse, now)


def ask_for_a_report(*, now: datetime, today: date) -> None:
    """For the worker to make, so that there is one to sign."""
    safety = User.objects.get(username="safety")
    with acting_as(safety, reason="demo", channel="demo"):
        request_safety(
            site=None, period_from=today - timedelta(days=365), period_to=today - timedelta(days=1),
            form_token=f"demo-report-{today}", by=safety, now=now,
        )  # fmt: skip


def _sign_visits(site: Site, doctor: User, now: datetime) -> list[Visit]:
    done = Visit.objects.filter(site=site, state=Visit.State.DONE).exclude(lab_results=None)
    visits = list(done.select_related("patient", "site").order_by("-actual_date", "-pk").distinct()[:VISITS])
    for visit in visits:
        _sign(visit, Meaning.REVIEW, doctor, now)
    return visits


def _sign(row: models.Model, meaning: str, by: User, now: datetime) -> None:
    with acting_as(by, reason="demo", channel="demo"):
        token = f"demo-{row._meta.model_name}-{row.pk}"
        sign(row=row, meaning=meaning, digest=content_of(row).sha256, form_token=token, by=by, now=now)


def _correct_one(visits: list[Visit], nurse: User, now: datetime) -> None:
    """A weight read wrongly: the signature under the second of the visits no longer holds."""
    for visit in islice(visits, 1, None):
        weighed = (
            LabResult.objects.filter(visit=visit, analyte="weight", withdrawn_at=None).order_by("pk").first()
        )
        if weighed is not None:
            entry = Entry(
                "weight", f"{Decimal(weighed.value_received) + 1}", weighed.unit_received, weighed.fasting
            )
            with acting_as(nurse, channel="demo"):
                correct_result(
                    result=weighed,
                    entry=entry,
                    reason="Scales read again",
                    version=weighed.version,
                    by=nurse,
                    now=now,
                )
            return


def _add_one_result(visits: list[Visit], nurse: User, now: datetime) -> None:
    """The laboratory answers after the visit was signed."""
    for visit in visits[:1]:
        with acting_as(nurse, reason="demo", channel="demo"):
            record_results(
                patient=visit.patient, visit=visit, collection=Collection(on=visit.actual_date or now.date()),
                entries=[Entry("psa" if visit.patient.sex_at_birth == "male" else "ca125", "1.2", _unit(visit))],
                by=nurse, now=now, form_token=f"demo-late-{visit.pk}",
            )  # fmt: skip


def _unit(visit: Visit) -> str:
    return "ng/mL" if visit.patient.sex_at_birth == "male" else "U/mL"
