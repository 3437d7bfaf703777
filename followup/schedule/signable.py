"""What signing a visit signs: the visit, each of its assessments, its deviations, and what rooms above add (results,
checks); and the task on Today once a signed record was changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models
from django.urls import reverse

from followup.schedule.actions.work_items import close_work_item, raise_work_item
from followup.schedule.models import Visit, VisitAssessment
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.patients.models import Query
from registry.signatures.signable import Kind, Signable, Values, register, signable_for, site_of
from registry.signatures.states import Change, Standing
from registry.signatures.watching import Judged

SIGN_AGAIN = "sign_again"
VISIT = Visit._meta.label_lower
CONVERSATION = dict.fromkeys(
    ("status", "answer", "answered_by_id", "answered_at", "closed_by_id", "closed_at"),
    "what is said about the deviation, which goes on after signing; the deviation itself is signed",
)


def register_visits() -> None:
    register(
        Signable(
            noun="visit",
            act="records.sign",
            view_act="neoplasia.view",  # the content holds checks and deviations, which the laboratory does not read
            related=("patient__site", "site", "timepoint__plan"),
            problem=_problem,
            url=lambda visit: reverse("schedule:visit", args=[visit.pk]),
            patient_id=lambda visit: visit.patient.patient_id,
            kinds=[
                Kind(
                    Visit, lambda pk: Visit.objects.filter(pk=pk), lambda row: [int(row["id"])], _visit_title
                ),
                Kind(
                    VisitAssessment,
                    lambda pk: VisitAssessment.objects.filter(visit=pk),
                    lambda row: [int(row["visit_id"])],
                    lambda row: str(row["code"]).replace("_", " ").capitalize(),
                    heading="Its parts",
                    short=("state", "on_date", "reason"),
                ),
                Kind(
                    Query,
                    _deviations,
                    _deviates,
                    lambda row: "Deviation",
                    left_out=CONVERSATION,
                    heading="Deviations",
                    short=("reason",),
                ),
            ],
        )
    )


def _problem(visit: Visit) -> str:
    if visit.state == Visit.State.PLANNED:
        return "A visit is signed once each of its parts has an answer, or once it is missed or not required."
    return ""


def _visit_title(row: Values) -> str:
    held = f" on {in_words(str(row['actual_date']))}" if row["actual_date"] else ""
    return f"Visit {row['visit_code'] or 'outside the plan'}{held}"


def _deviations(pk: int) -> models.QuerySet[Query]:
    return Query.objects.filter(record=f"{VISIT}:{pk}", kind=Query.Kind.DEVIATION)


def _deviates(row: Values) -> Iterable[int]:
    label, _, pk = str(row["record"]).partition(":")
    return [int(pk)] if label == VISIT and pk.isdecimal() else []


# Today -------------------------------------------------------------------------------------------------------


def judge(judged: Iterable[Judged], now: datetime, **_: Any) -> None:
    """A signature that no longer holds asks for a new one; a new one ends the asking."""
    for one in judged:
        patient, site = getattr(one.row, "patient", None), site_of(one.row)
        source = f"{one.row._meta.label_lower}:{one.row.pk}"
        if site is None or patient is None:
            continue
        if not one.standing.to_sign_again:
            close_work_item(kind=SIGN_AGAIN, source=source, because="Signed again", by=None, now=now)
            continue
        signable = signable_for(one.row)
        raise_work_item(
            kind=SIGN_AGAIN, source=source, patient=patient, site=site, title=_title(signable, one.row, one.standing),
            url=f"{signable.url(one.row)}#signatures", level="due", role="investigator",
            due_on=local_date(now, site.time_zone), now=now,
        )  # fmt: skip


def _title(signable: Signable, row: models.Model, standing: Standing) -> str:
    change = next((change for state in standing.to_sign_again for change in state.changes), None)
    words = f": {_words(change)}" if change else ""
    return f"Sign the {signable.noun} “{row}” again{words}"


def _words(change: Change) -> str:
    """`Weight of 3 Mar 2031, value received 81 → 82`."""
    field = f", {change.field.lower()}" if change.field else ""
    return f"{change.part}{field} {change.before} → {change.after}"
