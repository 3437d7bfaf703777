"""The two PDFs as HTML and figures, ready for `render_pdf`."""

from typing import Any

from django.template.loader import render_to_string

from followup.reports.numbers import Cover, SafetyNumbers, sha256
from followup.reports.patient_numbers import PatientNumbers
from followup.reports.patient_sections import patient_charts, patient_facts, patient_sections
from followup.reports.safety_sections import safety_charts, safety_sections, safety_summary
from followup.reports.wording import day

Document = tuple[str, dict[str, dict[str, Any]], str]


def safety_document(numbers: SafetyNumbers) -> Document:
    """HTML, chart specifications and title of the periodic safety report."""
    context = _page(numbers["cover"], sha256(numbers)) | {
        "running_title": numbers["cover"]["report_title"],
        "summary": safety_summary(numbers),
        "sections": safety_sections(numbers),
    }
    return render_to_string("reports/safety_report.html", context), safety_charts(numbers), context["title"]


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
    }
