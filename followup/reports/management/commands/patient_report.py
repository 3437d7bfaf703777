import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from followup.reports.command import add_output_options, check_folders
from followup.reports.making import make_patient
from followup.reports.provenance import seal_data
from followup.reports.render import RenderFailed
from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange.command import person_named
from registry.patients.models import Patient


class Command(BaseCommand):
    help = "Makes one patient's report as a PDF: pseudonymised unless --by somebody who may read names at the site."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("patient_id")
        add_output_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now, by = clock.now(), person_named(options["by"])
        check_folders(options["out"], options["numbers"])
        patient = _patient(options["patient_id"], by)
        with_identifiers = by is not None and by.may("identifiers.view", patient.site_id)
        seal_data(now=now)
        if with_identifiers:
            self._record("identifiers read", patient, patient.patient_id, by, now)
        try:
            made = make_patient(
                patient=patient, cut_off=patient.site.today(), with_identifiers=with_identifiers,
                pdf=options["out"], numbers=options["numbers"],
            )  # fmt: skip
        except RenderFailed as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        detail = f"patient report {patient.patient_id}, numbers {made.numbers_sha256}"
        self._record("report", patient, detail, by, now)
        self.stdout.write(
            json.dumps(vars(made))
            if options["json"]
            else f"{options['out']}: {made.pages} pages, SHA-256 {made.pdf_sha256}"
        )

    def _record(self, action: str, patient: Patient, detail: str, by: User | None, now: datetime) -> None:
        with acting_as(by or "system:command", channel="command"):
            record_event(action=action, about=patient, detail=detail, now=now)


def _patient(patient_id: str, by: User | None) -> Patient:
    """The same words for a patient who is not there and one who is out of reach."""
    people = Patient.objects.select_related("site")
    people = people.visible_to(by, "reports.make_patient") if by else people
    patient = people.filter(patient_id=patient_id).first()
    if patient is None:
        raise CommandError(f"There is no patient {patient_id} in your sites.", returncode=1)
    return patient
