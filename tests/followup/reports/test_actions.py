import hashlib
import json
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied

from followup.reports import actions, making
from followup.reports.making import Made
from followup.reports.models import ReportRun
from followup.reports.render import RenderFailed, RenderResult
from registry.access.models import RoleGrant
from registry.audit.acting import acting_as
from tests.cast import NOW, TODAY
from tests.followup.reports import people

FROM, TO = date(2030, 1, 1), date(2030, 12, 31)


@pytest.fixture
def anna(riverside):
    who = people.patient(riverside, "RIV-0001")
    people.infusion(who, date(2029, 6, 1))
    return who


@pytest.fixture
def quick(monkeypatch):
    """The pages themselves are tested elsewhere."""

    def make(*, pdf, numbers, **_):
        pdf.write_bytes(b"%PDF")
        numbers.write_text("{}")
        return Made("a" * 64, "b" * 64, 3)

    monkeypatch.setattr(actions, "make_safety", make)
    monkeypatch.setattr(actions, "make_patient", make)


def ask(by, *, site=None, form="t1"):
    return actions.request_safety(site=site, period_from=FROM, period_to=TO, form_token=form, by=by, now=NOW)


def at(moment):
    return lambda: moment


def test_a_report_is_made_kept_and_can_be_checked_against_its_digests(anna, sami):
    run = ask(sami)
    assert actions.make_waiting(now=at(NOW)) == 1
    run.refresh_from_db()
    assert run.state == "done"
    pdf = (actions.reports_folder() / run.stored_as).read_bytes()
    numbers = (actions.reports_folder() / run.numbers_stored_as).read_bytes()
    assert hashlib.sha256(pdf).hexdigest() == run.pdf_sha256
    assert hashlib.sha256(numbers).hexdigest() == run.numbers_sha256
    assert json.loads(numbers)["cover"]["cut_off"] == "2030-12-31"
    assert run.pages > 3
    assert actions.make_waiting(now=at(NOW)) == 0


def test_a_form_sent_twice_is_one_report(anna, sami):
    assert ask(sami) == ask(sami)
    assert ReportRun.objects.count() == 1


def test_only_those_who_work_across_all_sites_ask_for_all_sites(riverside, sami, ines):
    with pytest.raises(PermissionDenied, match="make a safety report"):
        ask(ines, site=riverside)
    with acting_as("system:command"):
        RoleGrant.objects.create(user=ines, role="safety", site=riverside, starts_on=date(2020, 1, 1))
    del ines.grants
    assert ask(ines, site=riverside).site == riverside
    with pytest.raises(actions.CannotContinue, match="Choose a site"):
        ask(ines, form="t2")


def test_a_run_whose_worker_died_is_taken_up_after_its_lease(anna, sami, quick):
    run = ask(sami)
    assert actions._claim(run, NOW)
    assert actions.make_waiting(now=at(NOW + timedelta(minutes=5))) == 0, "its worker may still be at it"
    assert actions.make_waiting(now=at(NOW + actions.LEASE + timedelta(seconds=1))) == 1
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("done", 2)


def test_two_workers_never_make_the_same_run(anna, sami):
    run = ask(sami)
    other = ReportRun.objects.get(pk=run.pk)
    assert actions._claim(run, NOW)
    assert not actions._claim(other, NOW)


def test_a_slow_worker_does_not_overwrite_the_one_that_took_over(anna, sami, quick):
    run = ask(sami)
    actions._claim(run, NOW)
    slow = ReportRun.objects.get(pk=run.pk)
    actions.make_waiting(now=at(NOW + actions.LEASE + timedelta(seconds=1)))
    run.refresh_from_db()
    before = set(actions.reports_folder().iterdir())
    actions._make(slow, at(NOW))
    assert set(actions.reports_folder().iterdir()) == before
    assert ReportRun.objects.get(pk=run.pk).stored_as == run.stored_as


def test_after_three_dead_workers_it_fails_in_words(anna, sami, quick):
    run, later = ask(sami), NOW
    for _ in range(3):
        assert actions._claim(ReportRun.objects.get(pk=run.pk), later)
        later += actions.LEASE + timedelta(seconds=1)
    actions.make_waiting(now=at(later))
    run.refresh_from_db()
    assert run.state == "failed"
    assert "died three times" in run.message


def test_what_stops_the_renderer_is_said_in_words_and_nothing_is_kept(anna, sami, monkeypatch):
    def no_pango(**_):
        raise RenderFailed("PDFs need the pango text library.")

    monkeypatch.setattr(actions, "make_safety", no_pango)
    run = ask(sami)
    actions.make_waiting(now=at(NOW))
    run.refresh_from_db()
    assert (run.state, run.message, run.stored_as) == ("failed", "PDFs need the pango text library.", "")


def test_a_right_that_ended_stops_the_report(anna, sami, quick):
    run = ask(sami)
    with acting_as("system:command"):
        sami.is_active = False
        sami.save()
    actions.make_waiting(now=at(NOW))
    run.refresh_from_db()
    assert (run.state, run.message) == ("failed", "The right to make this report was taken away.")


def test_a_waiting_report_can_be_cancelled_and_a_made_one_cannot(anna, sami, quick):
    run = ask(sami)
    actions.cancel(run=run, now=NOW)
    assert actions.make_waiting(now=at(NOW)) == 0
    run = ask(sami, form="t2")
    actions.make_waiting(now=at(NOW))
    with pytest.raises(actions.CannotContinue, match="Ready"):
        actions.cancel(run=run, now=NOW)


def test_a_patient_report_runs_to_the_day_at_the_site(anna, ines, monkeypatch):
    monkeypatch.setattr(making, "render_pdf", lambda **_: RenderResult("a" * 64, 1, 0.1))
    run = actions.request_patient(
        patient=anna, with_identifiers=False, reason="", form_token="t1", by=ines, now=NOW
    )
    actions.make_waiting(now=at(NOW))
    run.refresh_from_db()
    assert run.state == "done", run.message
    numbers = json.loads((actions.reports_folder() / run.numbers_stored_as).read_text())
    assert numbers["cover"]["cut_off"] == TODAY.isoformat()
    assert numbers["patient"]["identity"] is None


def test_names_are_printed_only_for_those_who_may_read_them(anna, cora):
    with pytest.raises(PermissionDenied, match="read names"):
        actions.request_patient(
            patient=anna, with_identifiers=True, reason="file", form_token="t1", by=cora, now=NOW
        )
