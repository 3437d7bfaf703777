"""The two PDFs as HTML and figures, ready for `render_pdf`."""

from collections.abc import Sequence
from typing import Any, TypedDict

from django.template.loader import render_to_string

from followup.reports.closed_sections import closed_sections
from followup.reports.layout import Section, section, table, text
from followup.reports.numbers import Cover, SafetyNumbers, sha256
from followup.reports.patient_numbers import PatientNumbers
from followup.reports.patient_sections import patient_charts, patient_facts, patient_sections
from followup.reports.safety_sections import safety_charts, safety_sections, safety_summary
from followup.reports.wording import day, utc

Document = tuple[str, dict[str, dict[str, Any]], str]
DRAFT, FINAL = "draft, not signed", "final, signed"
CLOSED_MARK = "CLOSED – unblinded, for the safety officer alone"


class SignatureRow(TypedDict):
    printed_name: str
    role: str
    meaning: str
    signed_at: str  # ISO, UTC
    content_sha256: str


def safety_document(
    numbers: SafetyNumbers, *, signatures: Sequence[SignatureRow] = (), original_sha256: str = ""
) -> Document:
    """HTML, chart specifications and title of the periodic safety report; with its signatures, the signed copy of it."""
    signed = [one | {"signed_at": utc(one["signed_at"])} for one in signatures]
    extra = [signature_section(signatures, original_sha256)] if signatures else []
    is_closed = "closed" in numbers
    closed = closed_sections(numbers["closed"]) if is_closed else []
    page = _page(numbers["cover"], sha256(numbers)) | ({"privacy": CLOSED_MARK} if is_closed else {})
    context = page | {
        "running_title": numbers["cover"]["report_title"],
        "is_closed": is_closed,
        "summary": safety_summary(numbers),
        "sections": [*closed, *safety_sections(numbers), *extra],
        "signatures": signed,
        "original_sha256": original_sha256,
        "status": FINAL if signatures else DRAFT,
    }
    return render_to_string("reports/safety_report.html", context), safety_charts(numbers), context["title"]


def signature_section(signatures: Sequence[SignatureRow], original_sha256: str) -> Section:
    rows = [
        (one["printed_name"], one["role"], one["meaning"], utc(one["signed_at"]), one["content_sha256"])
        for one in signatures
    ]
    columns = [
        text("Printed name"),
        text("Role"),
        text("Meaning"),
        text("Signed at"),
        text("SHA-256 of what was signed"),
    ]
    note = (
        f"What was signed is the unsigned PDF with SHA-256 {original_sha256} and the numbers behind it. It is kept beside this "
        "copy, which differs from it by the status and the signatures. Each person typed their password to sign."
    )
    return section(
        "Signatures",
        table("Signatures", columns, rows, empty="Nobody has signed.", notes=[note], width="dense"),
    )


def patient_document(numbers: PatientNumbers) -> Document:
    """HTML, chart specifications and title of one patient's report."""
    context = _page(numbers["cover"], sha256(numbers)) | {
        "running_title": f"{numbers['cover']['report_title']} {numbers['patient']['patient_id']}",
        "facts": patient_facts(numbers),
        "sections": patient_sections(numbers),
        "patient_id": numbers["patient"]["patient_id"],
    }
    return render_to_string("reports/patient_report.html", context), patient_charts(numbers), context["title"]


def _page(cover: Cover, digest: str) -> dict[str, Any]:
    period = f"{day(cover['period_from'])} to {day(cover['period_to'])}" if cover["period_from"] else None
    return {
        "title": cover["report_title"],
        "registry": cover["registry"],
        "cut_off": day(cover["cut_off"]),
        "period": period,
        "version": cover["version"],
        "status": cover["status"],
        "is_demo": cover["is_demo"],
        "sites": cover["sites"],
        "privacy": "Pseudonymised"
        if cover["is_pseudonymised"]
        else "Contains identifiers – handle as a medical record",
        "is_pseudonymised": cover["is_pseudonymised"],
        "intended_use": cover["intended_use"],
        "numbers_digest": digest,
        "trail_head": cover["trail_head"],
        "trail_seal": cover.get("trail_seal", ""),
    }
