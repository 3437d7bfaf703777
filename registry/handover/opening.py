"""Opening one record of another site in an emergency, and closing it. Every function that writes needs `acting_as()`."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry.access.models import RoleGrant, User
from registry.access.policy import scope_of
from registry.audit.actions import record_event
from registry.audit.models import AuditEntry
from registry.handover.models import SEE_OPENED, RecordOpening
from registry.handover.signals import opening_seen, record_opened
from registry.patients.models import Patient
from registry.patients.rules import patient_id_is_wellformed
from registry.saving import ChangedMeanwhile, NotAccepted, create_once

OPEN = "records.open"
LASTS = timedelta(minutes=60)
ATTEMPTS, WITHIN = 5, timedelta(minutes=15)
REFUSED, READ = "emergency opening refused", "emergency reading"
NOTHING_OPENED = (
    "No record was opened: there is none of another site with this id. Check every character of it."
)
TOO_MANY = (
    "Too many ids were wrong. Wait 15 minutes, or call the site that treats this person. Nothing was opened."
)


# The person's own opening -----------------------------------------------------------------------------------------


def current_opening(user: User, now: datetime) -> RecordOpening | None:
    """What this person has open now. It ends by the clock, by closing it, with the grant it rests on, with the account
    and with the patient's leaving that site.
    """
    if not user.may(OPEN):
        return None
    standing = (
        RecordOpening.objects.standing(now).filter(user=user).select_related("patient__site", "at_site")
    )
    held = {grant.pk for grant in user.grants}
    for opening in standing.order_by("-opened_at", "-pk"):
        if opening.grant_id in held and opening.patient.site_id == opening.at_site_id:
            return opening
    return None


def open_record(*, typed_id: str, reason: str, form_token: str, by: User, now: datetime) -> RecordOpening:
    """NotAccepted without a word on whether such a person exists: that is for those who know the whole id."""
    by.require(OPEN)
    User.objects.select_for_update().get(pk=by.pk)  # one attempt at a time, so that they are counted
    if first := RecordOpening.objects.filter(user=by, form_token=form_token).exclude(form_token="").first():
        return first
    if _refused_lately(by, now) >= ATTEMPTS:
        raise NotAccepted("", TOO_MANY)
    patient = Patient.objects.filter(patient_id=typed_id.strip()).select_related("site").first()
    if patient is None:
        _note_refusal(typed_id.strip(), now)
        raise NotAccepted("typed_id", NOTHING_OPENED)
    if by.may("identifiers.view", patient.site_id) and by.may("patients.view", patient.site_id):
        raise NotAccepted(
            "typed_id", f"{patient} is a patient of your own site: open the record from the list."
        )
    if standing := current_opening(by, now):
        raise NotAccepted("", f"The record of {standing.patient} is still open. Close it first.")

    def make() -> RecordOpening:
        return RecordOpening.objects.create(
            user=by, grant=_grant(by), patient=patient, at_site=patient.site, reason=reason, opened_at=now,
            ends_at=now + LASTS, form_token=form_token,
        )  # fmt: skip

    opening = create_once(RecordOpening, form_token, make, user_id=by.pk)
    record_opened.send(sender=RecordOpening, opening=opening, now=now)
    return opening


def _grant(by: User) -> RoleGrant:
    """The one that lasts longest among those that allow it."""
    blinded = by.protocol_is_blinded
    allowing = [one for one in by.grants if scope_of(one.role, OPEN, blinded=blinded) != "none"]
    return max(allowing, key=lambda one: (one.ends_on is None, one.ends_on or one.starts_on, one.pk))


def _refused_lately(by: User, now: datetime) -> int:
    recent = AuditEntry.objects.filter(at__gt=now - WITHIN, action=REFUSED, user_id=by.pk)
    return recent.count()


def _note_refusal(typed: str, now: datetime) -> None:
    """What was typed is kept when it looks like an id; anything else may be a name."""
    shown = typed if patient_id_is_wellformed(typed) else "not in the form of an id"
    record_event(action=REFUSED, about=RecordOpening._meta.db_table, detail=shown, now=now)


def close_record(*, opening: RecordOpening, by: User, now: datetime) -> None:
    if opening.user_id != by.pk:
        raise NotAccepted("", "Only the person who opened a record closes it.")
    RecordOpening.objects.standing(now).filter(pk=opening.pk).update(ended_early_at=now)


def note_page(*, opening: RecordOpening, path: str, now: datetime) -> None:
    """A page that was read. The path names a record by its number or the patient id, never a person."""
    record_event(action=READ, about=opening, detail=path, now=now)


# The site's side ---------------------------------------------------------------------------------------------


def pages_read(openings: list[RecordOpening]) -> dict[int, list[AuditEntry]]:
    """By opening, in the order in which they were read."""
    keys = [str(opening.pk) for opening in openings]
    table = RecordOpening._meta.db_table
    found: dict[int, list[AuditEntry]] = {opening.pk: [] for opening in openings}
    for entry in AuditEntry.objects.filter(table_name=table, row_id__in=keys, action=READ).order_by("pk"):
        found[int(entry.row_id)].append(entry)
    return found


def mark_seen(*, opening: RecordOpening, by: User, now: datetime) -> None:
    by.require(SEE_OPENED, opening.at_site_id)
    if not RecordOpening.objects.filter(pk=opening.pk, seen_at=None).update(seen_at=now, seen_by=by):
        raise ChangedMeanwhile("Somebody has looked at this already.")
    opening_seen.send(sender=RecordOpening, opening=opening, by=by, now=now)
