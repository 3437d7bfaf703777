from datetime import date

import pytest
from django.urls import reverse

from followup.reports import actions
from followup.reports.making import Made
from followup.reports.models import ReportRun
from registry.audit.models import AuditEntry
from registry.patients.erasing import destroy_key
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import StatusEvent
from tests.cast import NOW, person
from tests.followup.reports import people


@pytest.fixture
def anna(riverside):
    who = people.patient(riverside, "RIV-0001")
    people.infusion(who, date(2029, 6, 1))
    return who


@pytest.fixture
def make(monkeypatch):
    """make(run) gives it a finished file without drawing pages."""

    def quick(*, pdf, numbers, **_):
        pdf.write_bytes(b"%PDF")
        numbers.write_text("{}")
        return Made("a" * 64, "b" * 64, 3)

    monkeypatch.setattr(actions, "make_safety", quick)
    monkeypatch.setattr(actions, "make_patient", quick)

    def made(run):
        actions.make_waiting(now=lambda: NOW)
        run.refresh_from_db()
        return run

    return made


def status_of(browser, url):
    answer = browser.get(url)
    if answer.streaming:
        assert b"".join(answer.streaming_content)
    return answer.status_code


def safety_run(by, site=None, form="s"):
    return actions.request_safety(
        site=site,
        period_from=date(2030, 1, 1),
        period_to=date(2030, 12, 31),
        form_token=form,
        by=by,
        now=NOW,
    )


def patient_run(by, patient, *, named=False, form="p"):
    return actions.request_patient(
        patient=patient, with_identifiers=named, reason="own file", form_token=form, by=by, now=NOW
    )


def test_asking_twice_with_one_form_leads_to_the_same_report(riverside, sami, signed_in):
    browser = signed_in(sami)
    answers = {"period": "last_year", "site": "", "form_token": "once"}
    first, second = (browser.post(reverse("reports:report_list"), answers) for _ in range(2))
    run = ReportRun.objects.get()
    assert first.url == second.url == reverse("reports:report_run", args=[run.pk])
    assert (run.period_from.month, run.period_from.day, run.period_to.day) == (1, 1, 31)


def test_other_dates_are_checked_in_words(sami, riverside, signed_in):
    answers = {"period": "other", "period_from": "2024-05-01", "period_to": "2024-01-01", "form_token": "x"}
    page = signed_in(sami).post(reverse("reports:report_list"), answers)
    assert "The period ends before it begins" in page.content.decode()
    answers["period_to"] = "2999-01-01"
    assert (
        "lies in the future" in signed_in(sami).post(reverse("reports:report_list"), answers).content.decode()
    )
    assert not ReportRun.objects.exists()


def test_a_reader_sees_the_list_and_cannot_ask(mona, signed_in):
    browser = signed_in(mona)
    page = browser.get(reverse("reports:report_list"))
    assert "No report has been made yet" in page.content.decode()
    assert "Make a safety report" not in page.content.decode()
    assert browser.post(reverse("reports:report_list"), {"period": "last_year"}).status_code == 403


def test_a_site_reads_its_own_reports_and_no_others(sami, mona, hana, riverside, signed_in, make):
    own, everywhere = safety_run(sami, riverside), safety_run(sami, form="all")
    make(own), make(everywhere)
    url = reverse("reports:report_download", args=[own.pk])
    assert status_of(signed_in(mona), url) == 200
    assert status_of(signed_in(hana), url) == 404
    assert status_of(signed_in(mona), reverse("reports:report_download", args=[everywhere.pk])) == 404
    page = signed_in(mona).get(reverse("reports:report_list")).content.decode()
    assert page.count("Periodic safety report") == 1


def test_downloads_are_the_stored_files_and_leave_a_trace(sami, signed_in, make):
    run = make(safety_run(sami))
    browser = signed_in(sami)
    pdf = browser.get(reverse("reports:report_download", args=[run.pk]))
    assert b"".join(pdf.streaming_content) == b"%PDF"
    assert 'filename="safety-report-all-sites-2030-12-31.pdf"' in pdf["Content-Disposition"]
    numbers = browser.get(reverse("reports:numbers_download", args=[run.pk]))
    assert b"".join(numbers.streaming_content) == b"{}"
    assert AuditEntry.objects.filter(action="report downloaded", actor="sami").count() == 2


def test_a_report_that_is_not_ready_has_no_file(sami, signed_in):
    run = safety_run(sami)
    assert signed_in(sami).get(reverse("reports:report_download", args=[run.pk])).status_code == 404


def test_progress_reloads_the_page_when_the_report_is_ready(sami, signed_in, make):
    run, browser = safety_run(sami), signed_in(sami)
    url = reverse("reports:report_run", args=[run.pk])
    waiting = browser.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" in waiting
    assert "Cancel" in waiting
    make(run)
    assert browser.get(url, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "Download the PDF" in browser.get(url).content.decode()


def test_cancelling_a_waiting_report(sami, mona, riverside, signed_in):
    run = safety_run(sami, riverside)
    url = reverse("reports:report_cancel", args=[run.pk])
    assert signed_in(mona).post(url).status_code == 403
    signed_in(sami).post(url)
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_patient_report_with_the_name_needs_right_and_reason(anna, ines, signed_in):
    browser, url = signed_in(ines), reverse("reports:patient_report_make", args=["RIV-0001"])
    page = browser.post(url, {"with_identifiers": "on", "form_token": "x"})
    assert "Say why the name is printed" in page.content.decode()
    browser.post(url, {"with_identifiers": "on", "reason": "for the file", "form_token": "x"})
    assert ReportRun.objects.get().with_identifiers
    entry = AuditEntry.objects.get(table_name="reports_reportrun", action="insert")
    assert entry.reason == "for the file"


def test_those_without_the_right_to_names_get_a_pseudonymous_report(anna, cora, signed_in):
    url = reverse("reports:patient_report_make", args=["RIV-0001"])
    assert "Print name" not in signed_in(cora).get(url).content.decode()
    signed_in(cora).post(url, {"with_identifiers": "on", "reason": "x", "form_token": "x"})
    assert not ReportRun.objects.get().with_identifiers


def test_patients_of_another_site_and_acts_without_right(anna, hana, mona, signed_in):
    url = reverse("reports:patient_report_make", args=["RIV-0001"])
    assert signed_in(hana).get(url).status_code == 404
    assert signed_in(mona).get(url).status_code == 403


def test_a_named_report_is_only_for_those_who_may_read_names(anna, ines, cora, mona, hana, signed_in, make):
    named = make(patient_run(ines, anna, named=True))
    plain = make(patient_run(ines, anna, form="plain"))
    allowed = {
        (user.username, run.pk): status_of(signed_in(user), reverse("reports:report_download", args=[run.pk]))
        for user in (ines, cora, mona, hana)
        for run in (named, plain)
    }
    assert allowed == {
        ("ines", named.pk): 200, ("ines", plain.pk): 200,
        ("cora", named.pk): 404, ("cora", plain.pk): 200,
        ("mona", named.pk): 404, ("mona", plain.pk): 404,
        ("hana", named.pk): 404, ("hana", plain.pk): 404,
    }  # fmt: skip


def test_a_named_report_goes_with_the_erased_names(anna, ines, signed_in, make):
    save_identity(patient=anna, facts=IdentityFacts(given_name="Anna", family_name="Berg"), by=ines)
    run = make(patient_run(ines, anna, named=True))
    pdf = actions.reports_folder() / run.stored_as
    assert pdf.is_file()
    StatusEvent.objects.create(
        patient=anna, status="withdrawn", scope="erase", on_date="2031-03-01", recorded_at=NOW
    )
    destroy_key(patient=anna, now=NOW)
    assert signed_in(ines).get(reverse("reports:report_download", args=[run.pk])).status_code == 404
    assert not pdf.exists()
    run.refresh_from_db()
    assert "erased" in run.message


def test_roles_without_reports_are_turned_away(riverside, signed_in):
    lab = person("lara", "laboratory", riverside)
    assert signed_in(lab).get(reverse("reports:report_list")).status_code == 403
