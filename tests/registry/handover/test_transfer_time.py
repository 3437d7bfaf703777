"""After a transfer: whose calendar counts, who is reminded, and what stays on the clock it happened on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from followup.reminders.actions import run_sweep
from followup.reminders.models import MailMessage, Reminder
from followup.reports.collect_patient import collect_patient
from followup.schedule.models import Visit, WorkItem
from registry import clock
from registry.access.models import Site, User
from registry.handover.history import zone_at
from registry.infusions.models import Infusion
from registry.patients.models import Patient, Query
from tests.cast import NOW, TODAY
from tests.registry.handover.scene import LATER, accept, ask, read

# Time and reminders ------------------------------------------------------------------------------------------


def test_due_and_late_follow_the_new_sites_calendar(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    """Half past ten in the evening in London is the next morning in Auckland."""
    evening = datetime(2031, 3, 14, 22, 30, tzinfo=NOW.tzinfo)
    visit = Visit.objects.filter(patient=anna, window_closes__isnull=False).order_by("pk")[0]
    Visit.objects.filter(pk=visit.pk).update(window_opens=TODAY, target_date=TODAY, window_closes=TODAY)
    visit.refresh_from_db()
    assert visit.status_on(clock.local_date(evening, visit.site.time_zone)) == "open"
    accept(ask(anna, harbour, nora), ivan, now=evening)
    visit.refresh_from_db()
    assert (visit.window_closes, visit.site) == (TODAY, harbour)
    assert visit.status_on(clock.local_date(evening, visit.site.time_zone)) == "late"


def test_what_happened_before_stays_on_the_clock_it_happened_on(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    accept(ask(anna, harbour, nora), ivan)
    anna.refresh_from_db()
    assert zone_at(anna, NOW) == "Europe/London"
    assert zone_at(anna, LATER + timedelta(hours=1)) == "Pacific/Auckland"


@pytest.fixture
def due(anna: Patient) -> Visit:
    """One visit that is due; nothing else asks for a reminder."""
    Visit.objects.filter(patient=anna).update(state="not_required", state_reason="of no matter here")
    visit = Visit.objects.filter(patient=anna, timepoint__isnull=False).order_by("-target_date", "-pk")[0]
    Visit.objects.filter(pk=visit.pk).update(
        state="planned", target_date=TODAY, window_opens=TODAY - timedelta(days=9), created_on=date(2030, 3, 1),
        window_closes=TODAY + timedelta(days=9),
    )  # fmt: skip
    return visit


def told() -> list[tuple[str, str]]:
    rows = (
        MailMessage.objects.filter(state="sent").order_by("pk").values_list("recipient__username", "on_date")
    )
    return [(name, str(day)) for name, day in rows]


def sweep(at: datetime) -> None:
    with clock.set_to(at):
        run_sweep(now=at, as_of=at)


def test_an_open_reminder_goes_to_the_new_staff_and_is_not_told_twice(
    anna: Patient, due: Visit, harbour: Site, nora: User, hana: User, ivan: User
) -> None:
    sweep(NOW)
    assert told() == [("nora", "2031-03-14")]
    row = Reminder.objects.get()
    accept(ask(anna, harbour, nora), ivan, now=NOW + timedelta(hours=1))
    for hours in (2, 3, 4):
        sweep(NOW + timedelta(hours=hours))
    assert told() == [("nora", "2031-03-14")], "sent once, to whoever followed the person then"
    again = Reminder.objects.get()
    assert (again.pk, again.site, again.is_open, again.generation) == (row.pk, harbour, True, row.generation)


def test_a_reminder_not_sent_yet_reaches_the_new_staff_alone(
    anna: Patient, due: Visit, harbour: Site, nora: User, hana: User, ivan: User, monkeypatch: Any
) -> None:
    monkeypatch.setattr("followup.reminders.actions.dispatch", lambda **_: 0)
    sweep(NOW)
    assert MailMessage.objects.get().state == "planned"
    monkeypatch.undo()
    accept(ask(anna, harbour, nora), ivan, now=NOW + timedelta(minutes=1))
    for minutes in (5, 10, 15):
        sweep(NOW + timedelta(minutes=minutes))
    assert [name for name, _ in told()] == ["hana"]
    assert Reminder.objects.get().state == "sent"


def test_questions_and_matters_go_along_and_the_arrival_is_checked(
    anna: Patient, harbour: Site, nora: User, hana: User, ivan: User, signed_in: Any
) -> None:
    queries = Query.objects.filter(patient=anna).count()
    matters = WorkItem.objects.open().filter(patient=anna).count()
    assert queries
    sent = ask(anna, harbour, nora)
    accept(sent, ivan)
    assert Query.objects.filter(patient=anna, site=harbour).count() == queries
    here = WorkItem.objects.open().filter(patient=anna, site=harbour)
    assert here.exclude(kind="transfer_arrived").count() == matters
    assert not WorkItem.objects.open().filter(kind="transfer_request").exists()
    url = here.get(kind="transfer_arrived").url
    assert "Call the person, check both" in read(signed_in(hana), url)[1]
    assert read(signed_in(nora), url)[0] == 404
    checked = reverse("handover:transfer_checked", args=[sent.pk])
    assert read(signed_in(hana), checked, sent="yes")[0] == 302
    assert not here.filter(kind="transfer_arrived").exists()
    assert "is checked" not in read(signed_in(hana), url)[1]


def test_a_row_written_at_the_old_site_at_that_moment_follows(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    accept(ask(anna, harbour, nora), ivan)
    visit = Visit.objects.filter(patient=anna).order_by("pk")[0]
    Visit.objects.filter(pk=visit.pk).update(site=Site.objects.get(code="RIV"))
    sweep(LATER + timedelta(minutes=5))
    visit.refresh_from_db()
    assert visit.site == harbour


def test_an_infusion_keeps_the_time_it_was_given_at_when_it_is_corrected_later(
    anna: Patient, riverside: Site, harbour: Site, nora: User, hana: User, ivan: User, signed_in: Any
) -> None:
    """Eight in the evening in London is nine the next morning in Auckland: neither day nor moment may slip."""
    given_at = datetime(2031, 3, 12, 20, 0, tzinfo=NOW.tzinfo)
    one = Infusion.objects.create(
        patient=anna, site=riverside, infused_on=date(2031, 3, 12), infused_at=given_at, route="iv_peripheral",
        weight_kg=80, origin="product_unknown",
    )  # fmt: skip
    accept(ask(anna, harbour, nora), ivan)
    browser, correct = signed_in(hana), reverse("infusions:correct", args=[one.pk])
    assert "20:00 (Europe/London)" in read(browser, reverse("infusions:infusion", args=[one.pk]))[1]
    with clock.set_to(LATER):
        form = browser.get(correct).context["form"]
    again = {name: str(field.value() or "") for name, field in ((f.name, f) for f in form)}
    assert (again["infused_on"], again["started"][:5]) == ("2031-03-12", "20:00")
    doses = {
        "dose-TOTAL_FORMS": "0",
        "dose-INITIAL_FORMS": "0",
        "dose-MIN_NUM_FORMS": "0",
        "dose-MAX_NUM_FORMS": "3",
    }
    again |= doses | {"reason": "Premedication added", "step": "save"}
    status, _ = read(browser, correct, **again)
    one.refresh_from_db()
    assert (status, one.infused_on, one.infused_at) == (302, date(2031, 3, 12), given_at)


def test_the_report_of_the_patient_names_both_sites(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    def site(cut_off: date) -> object:
        patient = Patient.objects.select_related("site").get(pk=anna.pk)
        return collect_patient(patient=patient, cut_off=cut_off, with_identifiers=False)["patient"]["site"]

    assert site(TODAY) == "Riverside"
    accept(ask(anna, harbour, nora), ivan)
    assert site(TODAY) == "Harbour (from Riverside on 14 Mar 2031)"
