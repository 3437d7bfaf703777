"""Names go out by an act of their own: for one site, for a reason, a few times a day, and nobody unnoticed."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from followup.schedule.models import WorkItem
from registry.access.models import Site, User
from registry.audit.models import AuditEntry
from registry.exchange import exports
from registry.exchange.identified import Named
from registry.exchange.models import ExportRun
from registry.patients.erasing import destroy_key
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Patient
from registry.saving import NotAccepted
from tests.cast import NOW, person


@pytest.fixture(autouse=True)
def people(riverside: Site, harbour: Site) -> Iterator[list[Patient]]:
    made = []
    for number, (site, given, phone) in enumerate(
        [(riverside, "=Anna", "+44 7700 900123"), (riverside, "Boris", ""), (harbour, "Chloe", "")]
    ):
        one = Patient.objects.create(patient_id=f"P-{number}", site=site, created_at=NOW)
        save_identity(patient=one, facts=IdentityFacts(given, "Berg", "", "1960-02-03", phone=phone), by=None)
        made.append(one)
    Patient.objects.create(patient_id="P-9", site=riverside, created_at=NOW)
    yield made
    for path in exports.exports_folder().iterdir():
        path.unlink()


def ask(by: User, site: Site | None, form: str = "f1", **named: Any) -> ExportRun:
    named = {"reason": "Letters to\nparticipants"} | named
    return exports.request_export(site=site, form_token=form, by=by, now=NOW, named=Named(**named))


def made(by: User, site: Site, form: str = "f1", **named: Any) -> ExportRun:
    run = ask(by, site, form, **named)
    exports.work_waiting(now=lambda: NOW)
    run.refresh_from_db()
    return run


def lines_of(run: ExportRun) -> list[list[str]]:
    with zipfile.ZipFile(exports.exports_folder() / run.stored_as) as packed:
        assert not json.loads(packed.read("manifest.json"))["pseudonymised"]
        return list(csv.reader(io.StringIO(packed.read("people.csv").decode())))


def test_the_file_says_who_took_it_and_holds_this_site_alone(ines: User, riverside: Site) -> None:
    (mark,), heads, *rows = lines_of(made(ines, riverside))
    assert "Taken out by Ines (ines, Investigator) on 2031-03-14 09:30 UTC: Letters to participants" in mark
    named = [dict(zip(heads, row, strict=True)) for row in rows]
    assert [one["patient_id"] for one in named] == ["P-0", "P-1"]
    assert named[0]["given_name"] == "'=Anna"
    assert [one["birth_date"] for one in named] == ["1960", "1960"]


def test_full_birth_dates_only_when_asked_for(ines: User, riverside: Site) -> None:
    _, heads, *rows = lines_of(made(ines, riverside, with_birth_dates=True))
    assert {row[heads.index("birth_date")] for row in rows} == {"1960-02-03"}


def test_the_trail_and_the_coordinator_know(ines: User, riverside: Site) -> None:
    made(ines, riverside)
    noted = AuditEntry.objects.get(action="export with names")
    assert (noted.actor, noted.reason) == ("ines", "Letters to\nparticipants")
    assert noted.new.startswith("2 rows")
    notice = WorkItem.objects.get(kind="names_exported")
    assert notice.role == "coordinator"
    assert "Ines exported the names of 2 people of Riverside" in notice.title


def test_without_site_reason_or_right_nothing_goes_out(
    ines: User, riverside: Site, harbour: Site, cora: User, mona: User, nora: User, acting: None
) -> None:
    for site, reason in ((None, "Letters"), (riverside, " ")):
        with pytest.raises(NotAccepted):
            ask(ines, site, reason=reason)
    for user in (cora, mona, nora, person("mia", "site_manager", riverside)):
        with pytest.raises(PermissionDenied):
            ask(user, riverside)
    with pytest.raises(PermissionDenied):
        ask(ines, harbour)
    with pytest.raises(IntegrityError, match="identified_export_has"), transaction.atomic():
        ExportRun.objects.create(identified=True, requested_by=ines, requested_at=NOW, form_token="x")


def test_a_few_times_a_day(ines: User, riverside: Site, settings: Any) -> None:
    for number in range(settings.IDENTIFIED_EXPORTS_PER_DAY):
        ask(ines, riverside, f"f{number}")
    assert ask(ines, riverside, "f0").form_token == "f0"  # the same form again is no further export
    with pytest.raises(NotAccepted, match="limit of a day"):
        ask(ines, riverside, "more")
    tomorrow = NOW + timedelta(days=1)
    exports.request_export(site=riverside, form_token="next", by=ines, now=tomorrow, named=Named("Letters"))


def test_files_go_after_some_days_and_with_the_names(
    ines: User, riverside: Site, people: list[Patient], settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    first = made(ines, riverside)
    with django_capture_on_commit_callbacks(execute=True):
        exports.work_waiting(now=lambda: NOW + timedelta(days=settings.PERSON_COPY_DAYS, seconds=1))
    first.refresh_from_db()
    assert first.stored_as == ""
    second = made(ines, riverside, "f2")
    with django_capture_on_commit_callbacks(execute=True):
        destroy_key(patient=people[0], now=NOW)
    second.refresh_from_db()
    assert (second.stored_as, "erased" in second.message) == ("", True)
    assert list(exports.exports_folder().iterdir()) == []


def test_the_page_beside_the_other_export(ines: User, mona: User, riverside: Site, signed_in: Any) -> None:
    browser, url = signed_in(ines), reverse("exchange:identified_export")
    assert url in browser.get(reverse("exchange:export_list")).content.decode()
    assert url not in signed_in(mona).get(reverse("exchange:export_list")).content.decode()
    assert signed_in(mona).get(url).status_code == 403
    answers = {"form_token": "p1", "site": riverside.pk}
    assert "This field is required" in browser.post(url, answers).content.decode()
    got = browser.post(url, answers | {"reason": "Letters"})
    exports.work_waiting(now=lambda: NOW)
    assert "Download" in browser.get(got["Location"]).content.decode()
    run = ExportRun.objects.get()
    answer = browser.get(reverse("exchange:export_download", args=[run.pk]))
    assert "names" in answer["Content-Disposition"]
    assert b"".join(answer.streaming_content)
    assert AuditEntry.objects.filter(action="export downloaded", reason="Letters").exists()
