"""Erasing a person's names: asked for at the site, carried out by somebody else, who sees the pseudonymous id only.

What is destroyed is the person's key. Everything encrypted under it becomes unreadable wherever it stands, also in the
trail; what could hold names under no key at all (files) is removed when the erasure is stored. Needs `acting_as()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from registry.access.models import RoleGrant, User
from registry.access.policy import ROLES, scope_of
from registry.audit.acting import because
from registry.audit.actions import record_event
from registry.audit.scrubbing import scrub_database
from registry.exchange import exports, runs
from registry.patients.erasures import ErasureRequest
from registry.patients.models import Identity, Patient, PatientKey, Scope, SearchWord
from registry.patients.review import review_patients
from registry.patients.signals import erasure_changed, identifiers_erased, status_changed
from registry.patients.standing import standings
from registry.patients.status import CannotRecord
from registry.signin.models import Draft

ASK, CARRY_OUT = "erasure.ask", "erasure.carry_out"
State = ErasureRequest.State


@dataclass(frozen=True)
class ErasureFacts:
    legal_basis: str
    reason: str


def is_erased(patient: Patient) -> bool:
    """Somebody whose names were never entered is not erased."""
    known = Identity.objects.filter(patient=patient).exists()
    return known and not PatientKey.objects.filter(patient=patient).exists()


def ask_for_erasure(
    *, patient: Patient, facts: ErasureFacts, form_token: str, by: User, now: datetime
) -> ErasureRequest:
    """The same form sent twice is one request."""
    by.require(ASK, patient.site_id)
    if twin := ErasureRequest.objects.filter(form_token=form_token, asked_by=by).first():
        return twin
    if trouble := _why_not(patient):
        raise CannotRecord(trouble)
    try:
        with transaction.atomic(), because(facts.reason):
            made = ErasureRequest.objects.create(
                patient=patient, site_id=patient.site_id, legal_basis=facts.legal_basis, reason=facts.reason,
                form_token=form_token, asked_by=by, asked_at=now,
            )  # fmt: skip
    except IntegrityError as taken:  # somebody else asked at the same moment
        if ErasureRequest.objects.filter(patient=patient, state=State.ASKED).exists():
            raise CannotRecord("Somebody has asked for this erasure already.") from taken
        raise PermissionDenied("This form was sent by somebody else. Open it again.") from taken
    erasure_changed.send(sender=ErasureRequest, patients=[patient.pk], now=now)
    return made


def _why_not(patient: Patient) -> str:
    if is_erased(patient):
        return "The identifiers of this person were erased already."
    if Scope.ERASE not in standings([patient.pk])[patient.pk].scopes:
        return "Record the withdrawal with the scope “Erase identifiers” first."
    if ErasureRequest.objects.filter(patient=patient, state=State.ASKED).exists():
        return "Somebody has asked for this erasure already."
    return ""


def take_back(*, request: ErasureRequest, by: User, now: datetime) -> None:
    by.require(ASK, request.site_id)
    _decide(request, State.TAKEN_BACK, by, now)


def refuse(*, request: ErasureRequest, reason: str, by: User, now: datetime) -> None:
    """The reason is what the person is told, with their right to complain."""
    by.require(CARRY_OUT, request.site_id)
    with because(reason):
        _decide(request, State.REFUSED, by, now, decision=reason)


def carry_out(
    *, request: ErasureRequest, typed_id: str, alone_because: str = "", by: User, now: datetime
) -> None:
    """Destroys the person's key for ever. `alone_because` is read only where nobody else could do it."""
    by.require(CARRY_OUT, request.site_id)
    if typed_id.strip() != request.patient.patient_id:
        raise CannotRecord(f"Type {request.patient.patient_id} to confirm. Nothing was erased.")
    alone = ""
    if by.pk == request.asked_by_id:
        alone = alone_because.strip()
        if trouble := trouble_alone(request, by, now) or ("" if alone else "Say why nobody else does it."):
            raise CannotRecord(trouble)
    with because(request.reason):
        _decide(request, State.CARRIED_OUT, by, now, alone_because=alone)
        destroy_key(patient=request.patient, now=now)


def trouble_alone(request: ErasureRequest, by: User, now: datetime) -> str:
    """Why the asker may not carry out their own request; empty when nobody else can and the delay is over."""
    if _others_who_may(by, now):
        return "You asked for this erasure, so somebody else carries it out."
    from_then = request.asked_at + timedelta(hours=settings.ERASURE_ALONE_HOURS)
    if now < from_then:
        return (
            f"Nobody else may carry this out, so you may, {settings.ERASURE_ALONE_HOURS} hours after you asked: "
            f"from {from_then:%d %b %Y %H:%M} UTC. Nothing was erased."
        )
    return ""


def _others_who_may(by: User, now: datetime) -> bool:
    roles = [role for role in ROLES if scope_of(role, CARRY_OUT) != "none"]
    grants = RoleGrant.objects.in_force_on(now.date()).filter(role__in=roles, user__is_active=True)
    return grants.exclude(user=by).exists()


def _decide(request: ErasureRequest, state: str, by: User, now: datetime, **more: str) -> None:
    decided = ErasureRequest.objects.filter(pk=request.pk, state=State.ASKED)
    if not decided.update(state=state, decided_by=by, decided_at=now, **more):
        raise CannotRecord("This request was decided in the meantime.")
    erasure_changed.send(sender=ErasureRequest, patients=[request.patient_id], now=now)


# What erasing does -------------------------------------------------------------------------------------------


def destroy_key(*, patient: Patient, now: datetime) -> None:
    """The key, the words people search by, and every file that may hold names. Asking for it is the caller's."""
    PatientKey.objects.filter(patient=patient).delete()
    SearchWord.objects.filter(patient=patient).delete()
    Identity.objects.filter(patient=patient).update(local_id_index="")
    record_event(action="identifiers erased", about=patient, detail=patient.patient_id, now=now)
    _forget_drafts(patient)
    runs.forget_files(now=now)
    exports.forget_identified(site_id=patient.site_id)
    review_patients([patient.pk], now=now)
    identifiers_erased.send(sender=Patient, patients=[patient.pk], now=now)
    status_changed.send(sender=Patient, patients=[patient.pk], now=now)
    tables = (PatientKey._meta.db_table, SearchWord._meta.db_table)
    # What is erased stays erased if this fails.
    transaction.on_commit(partial(scrub_database, tables), robust=True)


def _forget_drafts(patient: Patient) -> None:
    """What was typed about the person and not saved, and what staff who could see them typed anywhere: it may name them."""
    drafts = Draft.objects.select_related("account").order_by("pk")
    gone = [
        draft.pk
        for draft in drafts
        if draft.about_patient == patient.pk or draft.account.may("patients.view", patient.site_id)
    ]
    Draft.objects.filter(pk__in=gone).delete()
