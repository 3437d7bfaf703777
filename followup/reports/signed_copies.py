"""The signed copy of a safety report: its frozen numbers printed again with the page of its signatures.

The unsigned original stays as it is; the digests of both are kept. The same numbers and signatures give the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from followup.reports.actions import LEASE, MAX_ATTEMPTS, CannotContinue, folder_of
from followup.reports.documents import SignatureRow, safety_document
from followup.reports.models import ReportRun, SignedCopy
from followup.reports.render import RenderFailed, RenderResult, render_pdf, weasyprint_problem
from followup.reports.signable import files_of
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.signatures.models import Signature
from registry.signatures.states import Standing, standing_of
from registry.signatures.watching import Judged

State = ReportRun.State
SIGN_ACT = "reports.sign"
SIGNED_KINDS = (ReportRun.Kind.SAFETY, ReportRun.Kind.CLOSED)
REPORT = ReportRun._meta.label_lower


def ask_for_copies(judged: Iterable[Judged], *, now: datetime) -> int:
    """One copy for the newest valid signature of each report. Needs `acting_as()`; asking again changes nothing."""
    asked = 0
    for one in judged:
        if isinstance(one.row, ReportRun) and one.standing.valid:
            signature = one.standing.valid[-1].signature
            facts = {"run": one.row, "asked_at": now, "original_sha256": one.row.pdf_sha256}
            asked += SignedCopy.objects.get_or_create(signature=signature, defaults=facts)[1]
    return asked


def make_copies(*, now: Callable[[], datetime]) -> int:
    """Every copy that waits, or whose worker died. Any number of workers may do this at once."""
    made = 0
    waiting = Q(state=State.WAITING) | Q(state=State.RUNNING, lease_until__lt=now())
    for copy in SignedCopy.objects.filter(waiting).select_related("run__site", "signature").order_by("pk"):
        if _claim(copy, now()):
            _make(copy, now)
            made += 1
    return made


def _claim(copy: SignedCopy, now: datetime) -> bool:
    with acting_as("system:worker", channel="report"):
        mine = SignedCopy.objects.filter(pk=copy.pk, state=copy.state, attempts=copy.attempts).update(
            state=State.RUNNING, lease_until=now + LEASE, attempts=copy.attempts + 1
        )
    copy.attempts += 1
    return bool(mine)


def _make(copy: SignedCopy, now: Callable[[], datetime]) -> None:
    pdf = folder_of(copy.run) / f"{uuid.uuid4().hex}.pdf"
    try:
        made = _render(copy, pdf)
    except (RenderFailed, CannotContinue) as trouble:
        _end(copy, now(), state=State.FAILED, message=str(trouble)[:500])
        return
    kept = _end(
        copy,
        now(),
        state=State.DONE,
        stored_as=pdf.name,
        pdf_sha256=made.sha256,
        pages=made.pages,
        message="",
    )
    if not kept:
        pdf.unlink(missing_ok=True)  # another worker took it over and its file counts


def _render(copy: SignedCopy, pdf: Any) -> RenderResult:
    if copy.attempts > MAX_ATTEMPTS:
        raise CannotContinue("Its worker died three times. Ask an administrator to look at the log.")
    if problem := weasyprint_problem():
        raise CannotContinue(problem)
    files = files_of(copy.run)
    if (files.get("pdf_file_sha256"), files.get("numbers_file_sha256")) != (
        copy.original_sha256,
        copy.run.numbers_sha256,
    ):
        raise CannotContinue(
            "The stored report is not the one that was signed. Make the report again and sign it."
        )
    numbers = json.loads((folder_of(copy.run) / copy.run.numbers_stored_as).read_text(encoding="utf-8"))
    rows = [
        row_of(one.signature) for one in standing_of(copy.run).valid if one.signature.pk <= copy.signature_id
    ]
    if not rows:
        raise CannotContinue("The signature is no longer valid.")
    html, charts, title = safety_document(numbers, signatures=rows, original_sha256=copy.original_sha256)
    return render_pdf(html=html, charts=charts, out=pdf, title=title)


def row_of(signature: Signature) -> SignatureRow:
    return {
        "printed_name": signature.printed_name,
        "role": signature.role,
        "meaning": signature.get_meaning_display(),
        "signed_at": signature.signed_at.isoformat(),
        "content_sha256": signature.content_sha256,
    }


def _end(copy: SignedCopy, now: datetime, **values: object) -> bool:
    mine = SignedCopy.objects.filter(pk=copy.pk, state=State.RUNNING, attempts=copy.attempts)
    with acting_as("system:worker", channel="report"):
        kept = bool(mine.update(finished_at=now, lease_until=None, **values))
        if kept and values["state"] == State.DONE:
            detail = f"signed copy {values['pdf_sha256']} of {copy.original_sha256}"
            record_event(action="report signed copy", about=copy.run, detail=detail, now=now)
    return kept


# What pages show ---------------------------------------------------------------------------------------------


def standings(runs: Iterable[ReportRun]) -> dict[int, Standing]:
    """How the signatures of these reports stand; reports nobody signed are left out."""
    by_pk = {run.pk: run for run in runs}
    signed = Signature.objects.filter(record=REPORT, row_pk__in=list(by_pk)).order_by("row_pk")
    return {pk: standing_of(by_pk[pk]) for pk in dict.fromkeys(signed.values_list("row_pk", flat=True))}


def reports_to_sign(user: User) -> list[ReportRun]:
    """Safety reports that are ready and carry no valid signature, newest first, for those who sign them."""
    if not user.may(SIGN_ACT):
        return []
    ready = ReportRun.objects.visible_to(user, SIGN_ACT).filter(kind__in=SIGNED_KINDS, state=State.DONE)
    runs = list(ready.exclude(stored_as="").select_related("site").order_by("-requested_at", "-pk"))
    signed = standings(runs)
    return [run for run in runs if run.pk not in signed or not signed[run.pk].valid]
