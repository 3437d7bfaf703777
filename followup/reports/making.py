"""From the registry to a PDF and its numbers: collect, freeze, render, and put both in place whole."""

import os
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from followup.reports.collect_patient import collect_patient
from followup.reports.collect_safety import collect_safety
from followup.reports.documents import Document, patient_document, safety_document
from followup.reports.numbers import SafetyNumbers, canonical_json, sha256
from followup.reports.patient_numbers import PatientNumbers
from followup.reports.render import RenderFailed, render_pdf, weasyprint_problem
from registry.access.models import Site
from registry.patients.models import Patient


@dataclass(frozen=True)
class Made:
    pdf_sha256: str
    numbers_sha256: str
    pages: int


def make_safety(
    *,
    site: Site | None,
    period_from: date,
    period_to: date,
    pdf: Path,
    numbers: Path | None,
    is_closed: bool = False,
) -> Made:
    """Whether a closed one may be made is the caller's to decide. Raises NumbersDisagree, RenderFailed; then nothing is
    left behind.
    """
    collected = collect_safety(site=site, period_from=period_from, period_to=period_to, is_closed=is_closed)
    return _issue(collected, safety_document(collected), pdf, numbers)


def make_patient(
    *, patient: Patient, cut_off: date, with_identifiers: bool, pdf: Path, numbers: Path | None
) -> Made:
    """Whether identifiers may be printed is the caller's to decide. Raises RenderFailed."""
    collected = collect_patient(patient=patient, cut_off=cut_off, with_identifiers=with_identifiers)
    return _issue(collected, patient_document(collected), pdf, numbers)


def _issue(
    collected: SafetyNumbers | PatientNumbers, document: Document, pdf: Path, numbers: Path | None
) -> Made:
    if problem := weasyprint_problem():
        raise RenderFailed(problem)
    html, charts, title = document
    rendered = render_pdf(html=html, charts=charts, out=pdf, title=title)
    if numbers is not None:
        _write_whole(numbers, canonical_json(collected))
    return Made(rendered.sha256, sha256(collected), rendered.pages)


def _write_whole(path: Path, text: str) -> None:
    """The digest printed in the PDF is that of this file's bytes. Readers see all of it or the file before."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as part:
        part.write(text)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(path)
