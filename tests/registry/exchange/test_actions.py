"""Two imports of one file at once, on a database with many writers."""

import threading
from pathlib import Path

import pytest
from django.db import connection

from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.exchange.actions import Report, import_file
from registry.exchange.resources import Context
from registry.patients.models import Patient
from tests.cast import NOW

HEAD = "site,patient_id,local_id,birth_date,sex,enrolment_date,consent_date\n"
LINES = "".join(f"RIV,RIV-{n},{n},1970,female,2031-03-01,2031-03-01\n" for n in range(1, 9))


@pytest.mark.django_db(transaction=True)
def test_the_same_file_twice_at_once_is_stored_once(tmp_path: Path) -> None:
    with acting_as("system:command"):
        Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
    file = tmp_path / "patients.csv"
    file.write_text(HEAD + LINES, encoding="utf-8")
    reports: list[Report] = []

    def go() -> None:
        with acting_as("system:command"):
            reports.append(import_file(kind="patients", path=file, context=Context(now=NOW), commit=True))

    def go_alone() -> None:
        go()
        connection.close()

    if connection.vendor == "sqlite":  # the test's database lives in one connection: one after the other
        for _ in range(3):
            go()
    else:
        threads = [threading.Thread(target=go_alone) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(report.created for report in reports) == [0, 0, 8]
    assert Patient.objects.count() == 8
