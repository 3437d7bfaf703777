"""Nobody is forgotten, nobody is told twice, and what is settled falls silent."""

import threading
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.forms.models import model_to_dict
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from followup.reminders import actions, planning
from followup.reminders.actions import run_sweep
from followup.reminders.models import MailMessage, Reminder, SweepRun
from followup.reminders.raising import SitePlan, site_wishes, wishes_for
from followup.schedule.models import Timepoint, Visit
from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from tests.cast import TODAY, person
from tests.followup.reminders.scene import a_patient, a_visit, at, has_status, move, steps, sweep_on

DAY = timedelta(days=1)


# Raising -----------------------------------------------------------------------------------------------------


def test_each_step_is_raised_once_and_replaces_the_one_before(visit, nora, outbox):
    for day in range(-40, 130):
        sweep_on(TODAY + day * DAY)
    assert steps(visit) == ["due_soon", "due_soon_again", "due", "window_closing", "overdue", "escalated"]
    assert steps(visit, is_open=True) == ["escalated"]
    assert set(Reminder.objects.exclude(step="escalated").values_list("closed_because", flat=True)) == {
        "superseded"
    }
    assert len(outbox()) == 5  # there is no investigator, site manager or coordinator: the escalation is held
    assert Reminder.objects.get(step="escalated").state == "held"


def test_a_second_sweep_changes_nothing(visit, nora, outbox):
    first = sweep_on(TODAY)
    entries = AuditEntry.objects.count()
    second = sweep_on(TODAY)
    assert (first.raised_now, first.messages_sent_now) == (1, 1)
    assert (second.raised_now, second.closed_now, second.messages_sent_now) == (0, 0, 0)
    assert AuditEntry.objects.count() == entries
    assert len(outbox()) == 1
    assert second.add_up
    assert (second.due, second.sent, second.waiting) == (1, 1, 0)


@pytest.mark.parametrize("silence_days", [1, 3, 45, 400])
def test_after_an_interruption_each_visit_costs_one_notice(riverside, nora, ines, outbox, silence_days):
    visits = [a_visit(a_patient(riverside, n), TODAY + n * DAY) for n in range(3)]
    sweep_on(TODAY - 31 * DAY)
    before = len(outbox())
    sweep_on(TODAY + silence_days * DAY)
    assert len(outbox()) == before + 1
    assert all(len(steps(visit, raised_on=TODAY + silence_days * DAY)) <= 1 for visit in visits)
    assert all(len(steps(visit, is_open=True)) == 1 for visit in visits)


def test_whoever_is_brought_in_late_is_raised_exactly_once(patient, nora, outbox):
    visit = a_visit(patient, date(2019, 6, 1), created_on=TODAY)
    for day in range(3):
        sweep_on(TODAY + day * DAY)
    assert steps(visit) == ["overdue"]
    assert steps(visit, is_open=True) == ["overdue"]
    assert len(outbox()) == 1


def test_a_visit_late_when_planned_is_raised_before_its_plan_reaches_a_step(patient, nora, outbox):
    """A plan that tells only long after the window closed, and a person brought in shortly after it closed."""
    only_escalated = '[{"step": "escalated", "counted_from": "closes", "days": 30}]'
    line = Timepoint.objects.get(code="M12")
    late = Timepoint(**model_to_dict(line, exclude=["id", "plan"]) | {"plan": line.plan, "code": "X12"})
    late.reminder_steps = only_escalated
    late.save()
    closed = TODAY - DAY
    visit = a_visit(patient, closed - 30 * DAY, timepoint=late, window_closes=closed, created_on=TODAY)
    sweep_on(TODAY)
    sweep_on(TODAY + DAY)
    assert steps(visit) == ["overdue"]


def test_a_version_put_in_force_during_a_sweep_stops_nobody(visit, riverside, nora):
    """Its timepoints were not there when the sweep read the plan; the next sweep takes them."""
    assert list(site_wishes(riverside, plan=SitePlan(), on=TODAY)) == []
    assert wishes_for([visit.pk], plan=SitePlan(), on=TODAY) == []
    sweep_on(TODAY)
    assert steps(visit) == ["due"]


def test_stepping_the_clock_back_raises_nothing_again(visit, nora, outbox):
    sweep_on(TODAY)
    sweep_on(TODAY - DAY)
    sweep_on(TODAY)
    assert steps(visit) == ["due"]
    assert len(outbox()) == 1


def test_a_visit_that_moves_inside_its_tolerance_is_not_told_again(visit, nora):
    sweep_on(TODAY)
    move(visit, 1)
    sweep_on(TODAY + DAY)
    assert steps(visit) == ["due"]
    assert Reminder.objects.get().generation == 1


def test_a_visit_that_moves_far_is_another_occurrence(visit, nora):
    sweep_on(TODAY)
    move(visit, 200)
    sweep_on(TODAY + DAY)
    assert steps(visit, is_open=True) == []
    assert Reminder.objects.get().closed_because == "the visit moved"
    sweep_on(TODAY + 200 * DAY)
    assert Reminder.objects.get(is_open=True).generation == 2


def test_the_day_is_the_sites_own(riverside, harbour, nora, hana):
    here, there = a_visit(a_patient(riverside)), a_visit(a_patient(harbour))
    evening = at(TODAY - DAY).replace(hour=20)  # already the next day in Auckland
    run_sweep(now=evening, as_of=evening)
    assert steps(here) == ["due_soon_again"]
    assert steps(there) == ["due"]


def test_one_reminder_per_visit_step_and_generation(visit, nora):
    sweep_on(TODAY)
    twin = Reminder.objects.get()
    twin.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


# Stopping ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["done", "missed", "not_required"])
def test_a_settled_visit_falls_silent(visit, nora, state):
    sweep_on(TODAY)
    Visit.objects.update(state=state, actual_date=TODAY, state_reason="as decided")
    sweep_on(TODAY + 200 * DAY)
    assert steps(visit) == ["due"]
    assert Reminder.objects.get().closed_because == f"the visit is {Visit.State(state).label.lower()}"
    assert Reminder.objects.get().state == "sent"


@pytest.mark.parametrize(
    ("status", "facts", "goes_on"),
    [
        ("deceased", {"death_confirmed": True}, False),
        ("deceased", {}, False),
        ("deceased", {"death_confirmed": False}, True),
        ("completed", {}, True),  # before the last year nobody is let go by a word
        ("withdrawn", {"scope": "no_new_data"}, False),
        ("withdrawn", {"scope": "erase"}, False),
        ("withdrawn", {"scope": "no_cells"}, True),
        ("withdrawn", {"scope": "no_visits"}, True),
        ("lost", {}, True),
    ],
)
def test_what_a_status_does_to_reminders(patient, visit, nora, status, facts, goes_on):
    sweep_on(TODAY - 7 * DAY)
    has_status(patient, status, **facts)
    sweep_on(TODAY)
    assert steps(visit) == (["due_soon_again", "due"] if goes_on else ["due_soon_again"])
    assert bool(steps(visit, is_open=True)) is goes_on


def test_a_reminder_that_was_held_is_excused_when_it_stops(patient, visit):
    assert sweep_on(TODAY).held == 1
    has_status(patient, "deceased", death_confirmed=True)
    totals = sweep_on(TODAY)
    assert (totals.held, totals.excused, totals.add_up) == (0, 1, True)


def test_a_death_recorded_in_error_brings_the_visit_back(patient, visit, nora, outbox):
    sweep_on(TODAY)
    has_status(patient, "deceased", death_confirmed=True)
    sweep_on(TODAY)
    has_status(patient, "in_follow_up")
    sweep_on(TODAY)
    assert steps(visit, is_open=True) == ["due"]
    assert len(outbox()) == 1


# Many at once ------------------------------------------------------------------------------------------------


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_four_sweeps_at_once_do_what_one_does(settings, tmp_path):
    settings.EMAIL_BACKEND = "config.mail.FileSink"
    settings.DATA_DIR = tmp_path
    with acting_as("system:command"):
        site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
        for number in range(5):
            person(f"nurse{number}", "nurse", site)
        for number in range(60):
            a_visit(a_patient(site, number), TODAY - number * DAY)
    errors = []

    def one() -> None:
        try:
            sweep_on(TODAY)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Reminder.objects.count() == 60
    assert Reminder.objects.filter(is_open=True).count() == 60
    assert (
        len(list((tmp_path / "mail").glob("*.eml"))) == MailMessage.objects.filter(state="sent").count() == 5
    )
    totals = sweep_on(TODAY)
    assert (totals.due, totals.sent, totals.raised_now, totals.add_up) == (60, 60, 0, True)


class AnyOrderOfDays(TestCase):
    """Whatever happens on whatever day: at most one open reminder a visit, none for a settled one, totals add up."""

    @hypothesis_settings(max_examples=25)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("sweep"), st.integers(-60, 200)),
                st.tuples(st.just("move"), st.integers(-400, 400)),
                st.tuples(st.sampled_from(["done", "planned", "dies", "lives"]), st.just(0)),
            ),
            max_size=12,
        )
    )
    def test_invariants(self, story):
        with acting_as("system:command"):
            site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
            person("nora", "nurse", site)
            patient = a_patient(site)
            visit = a_visit(patient)
            for act, number in [*story, ("sweep", 200)]:
                self.play(act, number, patient, visit)
        rows = Reminder.objects.filter(visit=visit)
        assert rows.filter(is_open=True).count() <= 1
        keys = list(rows.values_list("step", "generation"))
        assert len(keys) == len(set(keys))
        owed = visit.state == "planned" and patient.status != "deceased"
        due_again = visit.target_date <= TODAY + 230 * DAY
        assert rows.filter(is_open=True).exists() == (owed and due_again)
        assert SweepRun.objects.first().error == ""
        assert sweep_on(TODAY + 200 * DAY).add_up

    def play(self, act, number, patient, visit):
        if act == "sweep":
            sweep_on(TODAY + number * DAY)
        elif act == "move":
            move(visit, number)
        elif act in ("done", "planned"):
            visit.state, visit.actual_date = act, TODAY if act == "done" else None
            visit.save()
        else:
            patient.status = "deceased" if act == "dies" else "in_follow_up"
            patient.save()


def test_planning_alone_sends_nothing(visit, nora, outbox, monkeypatch):
    monkeypatch.setattr(actions, "dispatch", lambda **_: 0)
    totals = sweep_on(TODAY)
    assert planning.without_message(visit.site).count() == 0
    assert (totals.due, totals.waiting, outbox()) == (0, 1, [])
