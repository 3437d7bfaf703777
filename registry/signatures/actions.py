"""Signing, and marking a late result as reviewed. Only the person who acts can sign; needs `acting_as()` that person."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models, transaction

from registry.access import policy
from registry.access.models import User
from registry.audit.acting import current
from registry.audit.actions import record_event
from registry.saving import ChangedMeanwhile, NotAccepted
from registry.signatures.models import LateReview, Meaning, Signature
from registry.signatures.sealing import seal_of
from registry.signatures.signable import Content, Signable, content_of, signable_for, site_of
from registry.signatures.signals import signatures_judged
from registry.signatures.states import is_valid, standing_of
from registry.signatures.watching import Judged, newest_entry

USED = "This form was used already. Open it again."


def sign(
    *, row: models.Model, meaning: str, digest: str, form_token: str, by: User, now: datetime
) -> Signature:
    """`digest` is that of the content the person saw. Identity was proven just before, by the view.

    The same form sent twice gives the first signature. Raises NotAccepted, ChangedMeanwhile.
    """
    signable = signable_for(row)
    require_act(by, signable, row)
    if meaning not in Meaning.values:
        raise NotAccepted("meaning", "Choose what your signature means.")
    if not form_token:
        raise NotAccepted("", USED)
    with transaction.atomic():
        locked = type(row)._base_manager.select_for_update().get(pk=row.pk)
        content = content_of(locked)
        if twin := Signature.objects.filter(form_token=form_token).first():
            return _twin(twin, content, signable, meaning, by)
        if digest != content.sha256:
            raise ChangedMeanwhile("This was changed since you opened it. Nothing is signed.")
        if problem := signable.problem(locked):
            raise NotAccepted("", problem)
        nth = _next(signable, row, content, meaning, by)
        try:
            with transaction.atomic():
                made = _write(locked, content, signable, meaning, nth, form_token, by, now)
        except IntegrityError as taken:  # the same person on two machines at one moment
            raise NotAccepted("", "You have just signed this. Open it again.") from taken
        about = f"{made.get_meaning_display().lower()} by {made.printed_name}, content {content.sha256}"
        record_event(action="signed", about=locked, detail=about, now=now)
        signatures_judged.send(sender=Signature, judged=[Judged(locked, standing_of(locked))], now=now)
    return made


def require_act(by: User, signable: Signable, row: models.Model) -> None:
    """The right at the record's site; for a record on all sites, the right across them. And nobody for somebody else."""
    site = site_of(row)
    by.require(signable.act, site)
    if site is None and not by.scope(signable.act).everywhere:
        raise PermissionDenied("What covers all sites is signed by those who work across all sites.")
    acting = current()
    if acting is None or acting.user_id != by.pk:
        raise PermissionDenied("A person signs, and only for themselves.")


def _twin(twin: Signature, content: Content, signable: Signable, meaning: str, by: User) -> Signature:
    same = (
        f"{twin.record}:{twin.row_pk}" == content.record
        and twin.signer_id == by.pk
        and twin.meaning == meaning
    )
    if same and is_valid(twin, content, signable):
        return twin
    raise NotAccepted("", USED)


def _next(signable: Signable, row: models.Model, content: Content, meaning: str, by: User) -> int:
    """One valid signature of a person with a meaning on a content; after a change or news there may be another."""
    mine = list(Signature.objects.under(signable.label, row.pk).filter(signer=by, meaning=meaning))
    if mine and mine[-1].content_sha256 == content.sha256 and is_valid(mine[-1], content, signable):
        raise NotAccepted("meaning", "You have signed this with this meaning already, and it is valid.")
    return max((one.nth for one in mine), default=0) + 1


def _write(
    row: models.Model,
    content: Content,
    signable: Signable,
    meaning: str,
    nth: int,
    form_token: str,
    by: User,
    now: datetime,
) -> Signature:
    roles = dict.fromkeys(
        policy.ROLES[grant.role] for grant in by.grants if policy.scope_of(grant.role, signable.act) != "none"
    )
    made = Signature(
        record=signable.label, row_pk=row.pk, site=site_of(row), patient_id=signable.patient_id(row),
        meaning=meaning, signer=by, printed_name=by.full_name or by.username, role=", ".join(roles), signed_at=now,
        content=content.text, content_sha256=content.sha256, software_version=settings.VERSION, nth=nth,
        after_entry=newest_entry(), form_token=form_token,
    )  # fmt: skip
    made.seal = seal_of(made)
    made.full_clean(validate_unique=False, validate_constraints=False)
    made.save(force_insert=True)
    return made


def mark_reviewed(*, row: models.Model, part: str, sha256: str, by: User, now: datetime) -> LateReview:
    """The late part `part` was looked at as it stands. Voids nothing; once corrected it is to be looked at again."""
    signable = signable_for(row)
    require_act(by, signable, row)
    late = next((one for one in standing_of(row).late if one.key == part), None)
    if late is None:
        raise NotAccepted("", "This did not come after the signature, or is signed by now.")
    if late.sha256 != sha256:
        raise ChangedMeanwhile("This result was changed since you opened the page. Look at it again.")
    site = site_of(row)
    review, _ = LateReview.objects.get_or_create(
        record=signable.label, row_pk=row.pk, part=part, part_sha256=sha256, reviewed_by=by,
        defaults={"site": site, "reviewed_at": now},
    )  # fmt: skip
    return review
