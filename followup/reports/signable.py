"""What signing a safety report signs: the run, and the digests of the stored files, taken again from the files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.urls import reverse

from followup.reports.actions import folder_of
from followup.reports.models import ReportRun
from registry.signatures.signable import Kind, Signable, Values, register

FILES = {"pdf_file_sha256": "stored_as", "numbers_file_sha256": "numbers_stored_as"}
MISSING = "missing"


def register_reports() -> None:
    register(
        Signable(
            noun="report",
            act="reports.sign",
            view_act="reports.view",
            related=("site", "patient", "requested_by"),
            may_be_locked=False,  # nothing of a finished report is ever edited, and it is of all sites
            problem=_problem,
            url=lambda run: reverse("reports:report_run", args=[run.pk]),
            patient_id=lambda run: "",
            kinds=[
                Kind(
                    ReportRun,
                    lambda pk: ReportRun.objects.filter(pk=pk),
                    lambda row: [int(row["id"])],
                    lambda row: (
                        "Closed safety report" if row["kind"] == "closed" else "Periodic safety report"
                    ),
                    computed=files_of,
                )
            ],
        )
    )


def files_of(run: ReportRun) -> Values:
    """The PDF and its frozen numbers as they lie on disk now."""
    folder = folder_of(run)
    return {
        name: _digest(folder / getattr(run, column)) for name, column in FILES.items() if getattr(run, column)
    }


def _digest(path: Path) -> str:
    if not path.is_file():
        return MISSING
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _problem(run: ReportRun) -> str:
    if not run.is_safety:
        return "Safety reports are signed; a patient's report shows the signatures of the record."
    if run.state != ReportRun.State.DONE or not run.stored_as:
        return "A report is signed once it is ready."
    files = files_of(run)
    if (files["pdf_file_sha256"], files["numbers_file_sha256"]) != (run.pdf_sha256, run.numbers_sha256):
        return "The stored files are not those this report was made with. Make the report again."
    return ""
