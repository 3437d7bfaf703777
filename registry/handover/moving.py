"""Asking another site to take a person over, and what happens when it does. Every function needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import F

from registry.access.models import Site, User
from registry.audit.acting import because
from registry.audit.coverage import audited_models
from registry.batches import batches
from registry.clock import local_date
from registry.handover.models import ASK, RECEIVE, Transfer
from registry.handover.signals import transfer_asked, transfer_checked, transfer_decided
from registry.patients.identity import identity_of, local_id_index, save_identities
from registry.patients.models import Identity, Patient, PatientKey
from registry.patients.review import review_twins
from registry.saving import ChangedMeanwhile, NotAccepted, create_once

LONGEST_AHEAD = timedelta(days=366)
REPAIRED_FOR = timedelta(days=2)


@dataclass(frozen=True)
class TransferFacts:
    to_site: Site
    moves_on: date
    reason: str
    note: str = ""
    form_token: str = ""


# Asking ------------------------------------------------------------------------------------------------------


def ask_transfer(*, patient: Patient, facts: TransferFacts, by: User, now: datetime) -> Transfer:
    by.require(ASK, patient.site_id)
    today = local_date(now, patient.site.time_zone)
    if facts.to_site.pk == patient.site_id:
        raise NotAccepted("to_site", f"{patient} is at {patient.site} already: choose another site.")
    if facts.moves_on > today + LONGEST_AHEAD:
        raise NotAccepted("moves_on", "This day is more than a year ahead: ask when the move comes nearer.")
    waiting = Transfer.objects.asked().filter(patient=patient).exclude(form_token=facts.form_token)
    if facts.form_token and waiting.exists():
        raise NotAccepted("", "A transfer of this patient waits for an answer already. Withdraw it first.")

    def make() -> Transfer:
        return Transfer.objects.create(
            patient=patient, from_site=patient.site, to_site=facts.to_site, moves_on=facts.moves_on,
            reason=facts.reason, note=facts.note, asked_by=by, asked_at=now, form_token=facts.form_token,
        )  # fmt: skip

    transfer = create_once(Transfer, facts.form_token, make, patient_id=patient.pk)
    transfer_asked.send(sender=Transfer, transfer=transfer, now=now)
    return transfer


def withdraw_transfer(*, transfer: Transfer, reason: str, by: User, now: datetime) -> None:
    by.require(ASK, transfer.from_site_id)
    _decide(transfer, Transfer.State.WITHDRAWN, reason, by, now)
    transfer_decided.send(sender=Transfer, transfer=transfer, by=by, now=now)


def decline_transfer(*, transfer: Transfer, reason: str, by: User, now: datetime) -> None:
    by.require(RECEIVE, transfer.to_site_id)
    _decide(transfer, Transfer.State.DECLINED, reason, by, now)
    transfer_decided.send(sender=Transfer, transfer=transfer, by=by, now=now)


def _decide(transfer: Transfer, state: str, reason: str, by: User, now: datetime) -> None:
    """Of two people who decide, one does."""
    waiting = Transfer.objects.asked().filter(pk=transfer.pk)
    if not waiting.update(state=state, decided_by=by, decided_at=now, decision_reason=reason):
        raise ChangedMeanwhile("This transfer was decided in the meantime.")
    transfer.refresh_from_db()


# Accepting ---------------------------------------------------------------------------------------------------


def accept_transfer(*, transfer: Transfer, local_id: str, by: User, now: datetime) -> None:
    """The person, their names and everything on record go over, in one transaction. A record number that is taken at
    the new site is refused until that site gives its own.
    """
    by.require(RECEIVE, transfer.to_site_id)
    patient, to_site = transfer.patient, transfer.to_site
    # Nobody writes a row of this person meanwhile: each one holds the patient row by its foreign key.
    Patient.objects.select_for_update().get(pk=patient.pk)
    with because(f"Transfer from {transfer.from_site} to {to_site}: {transfer.reason}"):
        _decide(transfer, Transfer.State.ACCEPTED, "", by, now)
        moved = Patient.objects.filter(pk=patient.pk, site=transfer.from_site_id)
        if not moved.update(site=to_site, version=F("version") + 1):
            raise ChangedMeanwhile("This patient is not at the site that asked any more.")
        patient.refresh_from_db()
        _move_identity(patient, local_id.strip())
        for model in models_with_a_site():
            _move_rows(model, model._base_manager.filter(patient=patient.pk), to_site)
    review_twins([patient.pk], now=now)
    transfer_decided.send(sender=Transfer, transfer=transfer, by=by, now=now)


def record_number_is_taken(patient: Patient, local_id: str, site: Site) -> bool:
    wanted = local_id_index(local_id) if local_id else _index_of(patient)
    others = Identity.objects.filter(site=site, local_id_index=wanted).exclude(patient=patient)
    return bool(wanted) and others.exists()


def _index_of(patient: Patient) -> str:
    row = Identity.objects.filter(patient=patient).first()
    return row.local_id_index if row else ""


def _move_identity(patient: Patient, local_id: str) -> None:
    if record_number_is_taken(patient, local_id, patient.site):
        whose = f"The number {local_id}" if local_id else "The record number this person brings along"
        message = f"{whose} is another patient's at {patient.site}: give this person your own record number."
        raise NotAccepted("local_id", message)
    index = local_id_index(local_id) if local_id else _index_of(patient)
    named = Identity.objects.filter(patient=patient)
    # The number goes last: on its way it must not meet another one, at either site.
    named.update(site=patient.site, local_id_index="", version=F("version") + 1)
    if local_id and PatientKey.objects.filter(patient=patient).exists():
        save_identities(entries=[(patient, replace(identity_of(patient), local_id=local_id))])
    named.update(local_id_index=index)


def models_with_a_site() -> Iterator[type[models.Model]]:
    """Every table whose rows name both a patient and a site of their own: they go where the patient goes. A room that
    is added belongs at once. (Rows that hang on those have no site of their own.)
    """
    for model in audited_models():
        links = {
            field.name: field.related_model for field in model._meta.concrete_fields if field.is_relation
        }
        if links.get("site") is Site and links.get("patient") is Patient and model is not Identity:
            yield model


def _move_rows(model: type[models.Model], rows: models.QuerySet[models.Model], to_site: Site) -> int:
    keys = list(rows.exclude(site=to_site).order_by("pk").values_list("pk", flat=True))
    return sum(model._base_manager.filter(pk__in=some).update(site=to_site) for some in batches(keys))


def repair_sites(*, now: datetime) -> int:
    """A row of somebody who moved, written at the old site at that very moment, follows. The sweep calls it."""
    recent = Transfer.objects.accepted().filter(decided_at__gte=now - REPAIRED_FOR).order_by("pk")
    repaired = 0
    for patient in Patient.objects.filter(pk__in=recent.values("patient")).select_related("site"):
        with because("The patient was transferred"):
            for model in models_with_a_site():
                repaired += _move_rows(model, model._base_manager.filter(patient=patient.pk), patient.site)
    return repaired


def confirm_arrival(*, transfer: Transfer, by: User, now: datetime) -> None:
    """Somebody of the new site looked through contacts and bookings, which were made for the old one."""
    by.require(ASK, transfer.to_site_id)
    waiting = Transfer.objects.accepted().filter(pk=transfer.pk, checked_at=None)
    if not waiting.update(checked_at=now, checked_by=by):
        raise ChangedMeanwhile("Somebody has checked this already.")
    transfer_checked.send(sender=Transfer, transfer=transfer, by=by, now=now)
