"""`sweep` prints totals that add up; `reconcile` names whoever fell off."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from followup.reminders.models import MailMessage, Reminder, SweepRun
from followup.reminders.reconciliation import reconcile
from followup.schedule.actions import ensure_default_plan
from followup.schedule.models import Visit
from registry.access.models import Registry
from registry.audit import triggers
from registry.infusions.models import Infusion
from registry.patients.models import Consent, ConsentDocument, Enrolment, StatusEvent
from tests.cast import NOW, TODAY
from tests.followup.reminders.scene import a_patient, a_visit, at, sweep_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def infused(riverside):
    """Enrolled and infused a month ago; the sweep plans the visits."""
    ensure_default_plan(NOW)
    patient = a_patient(riverside)
    Enrolment.objects.create(patient=patient, enrolled_on=TODAY - timedelta(days=40))
    Infusion.objects.create(
        patient=patient,
        site=riverside,
        infused_on=TODAY - timedelta(days=30),
        route="iv_peripheral",
        weight_kg=80,
    )
    return patient


def kinds() -> list[str]:
    return [finding.kind for finding in reconcile(now=at(TODAY)).findings]


def test_before_the_first_sweep_it_says_what_is_missing(infused):
    assert kinds() == ["no planned visits", "no neoplasia check"]
    assert [w.what for w in reconcile(now=at(TODAY)).warnings] == [
        "no sweep has finished yet; run `sweep` or start the worker"
    ]


def test_after_a_sweep_nobody_has_fallen_off(infused, nora):
    sweep_on(TODAY)
    result = reconcile(now=at(TODAY))
    assert result.whole
    assert not result.warnings
    assert Reminder.objects.filter(patient=infused).exists()


def test_whoever_lives_and_was_infused_has_a_check_ahead(infused, nora):
    sweep_on(TODAY)
    Visit.objects.filter(neoplasia_check=True).update(state="not_required", state_reason="a slip of the hand")
    (finding,) = [f for f in reconcile(now=at(TODAY)).findings if f.kind == "no neoplasia check"]
    assert finding.record == f"patient {infused}"


@pytest.mark.parametrize(
    ("status", "scope", "still_owed"),
    [
        ("deceased", "", False),
        ("completed", "", False),
        ("withdrawn", "no_new_data", False),
        ("withdrawn", "erase", False),
        ("withdrawn", "no_contact", False),  # records go on only where linkage was consented to
        ("withdrawn", "", True),
        ("lost", "", True),
    ],
)
def test_who_counts_as_owed_a_check(infused, nora, status, scope, still_owed):
    sweep_on(TODAY)
    StatusEvent.objects.create(
        patient=infused, status=status, scope=scope, on_date=f"{TODAY}", recorded_at=NOW
    )
    infused.status = status
    infused.save()
    Visit.objects.update(state="not_required", state_reason="for the test")
    assert ("no neoplasia check" in kinds()) is still_owed


def test_a_person_followed_through_linkage_alone_is_owed_a_check(infused, nora):
    document = ConsentDocument.objects.create(version="2.0")
    Consent.objects.create(
        patient=infused, document=document, signed_on=TODAY, tier_linkage=True, recorded_at=NOW
    )
    StatusEvent.objects.create(
        patient=infused, status="withdrawn", scope="no_contact", on_date=f"{TODAY}", recorded_at=NOW
    )
    infused.status = "withdrawn"
    infused.save()
    sweep_on(TODAY)
    assert kinds() == []
    Visit.objects.update(state="not_required", state_reason="for the test")
    assert "no neoplasia check" in kinds()


def test_a_step_without_its_reminder_is_named(infused, nora):
    sweep_on(TODAY)
    visit = a_visit(a_patient(infused.site, 2))
    (finding,) = reconcile(now=at(TODAY)).findings
    assert (finding.kind, finding.record) == ("not on the worklist", f"visit {visit.pk}")
    assert "“due”" in finding.what


def test_a_reminder_of_a_settled_visit_is_named_until_the_next_sweep(infused, nora):
    sweep_on(TODAY)
    visit = Reminder.objects.filter(is_open=True).first().visit
    Visit.objects.filter(pk=visit.pk).update(state="missed", state_reason="moved away")
    assert "still on the worklist" in kinds()
    sweep_on(TODAY)
    assert kinds() == []


def test_a_deleted_reminder_is_named_and_the_totals_say_so(infused, nora):
    sweep_on(TODAY)
    gone = Reminder.objects.filter(visit__visit_code="D7").get()
    pk = gone.pk
    gone.messages.clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reminders_reminder WHERE id = %s", [pk])
    found = {finding.kind: finding for finding in reconcile(now=at(TODAY)).findings}
    assert found["deleted reminder"].record == f"reminder {pk}"
    assert "control totals" in found
    assert "not on the worklist" in found


def test_a_reminder_that_vanished_behind_the_trails_back_upsets_the_totals(infused, nora):
    sweep_on(TODAY)
    gone = Reminder.objects.filter(visit__visit_code="D7").get()
    gone.messages.clear()
    triggers.drop(connection)
    gone.delete()
    triggers.install(connection)
    assert "control totals" in kinds()


def test_sent_needs_a_message_that_was_sent(infused, nora):
    sweep_on(TODAY)
    MailMessage.objects.update(state="cancelled")
    assert set(kinds()) == {"sent without message"}


def test_an_old_sweep_is_a_warning(infused, nora):
    sweep_on(TODAY)
    result = reconcile(now=at(TODAY) + timedelta(hours=1))
    assert result.whole
    assert result.warnings[0].what.startswith("the last sweep finished 59 min")


# Commands ----------------------------------------------------------------------------------------------------


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_sweep_prints_its_totals(riverside, nora):
    a_visit(a_patient(riverside))
    totals = json.loads(run("sweep"))
    parts = sum(totals[name] for name in ("sent", "held", "excused", "failed", "uncertain"))
    assert totals["due"] == parts
    assert totals["add_up"] is True
    assert json.loads(SweepRun.objects.get().totals) == totals


def test_another_moment_is_for_demo_and_test_registries(riverside):
    with pytest.raises(CommandError, match="real people") as refusal:
        run("sweep", "--now", "2031-03-30T01:30Z")
    assert refusal.value.returncode == 1
    Registry.objects.create(id=1, kind="test")
    run("sweep", "--now", "2031-03-30T01:30Z")
    assert f"{SweepRun.objects.get().as_of:%Y-%m-%dT%H:%M}" == "2031-03-30T01:30"


def test_a_sweep_by_a_person_is_theirs_and_needs_the_right(riverside, cora, nora):
    run("sweep", "--by", "cora")
    with pytest.raises(CommandError, match="may not sweep"):
        run("sweep", "--by", "nora")


def test_reconcile_ends_with_1_and_names_what_is_off(infused):
    with pytest.raises(SystemExit) as stop:
        run("reconcile")
    assert stop.value.code == 1
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["whole"] is False
    assert answer["findings"][0]["record"] == f"patient {infused}"


def test_reconcile_is_content_after_a_sweep(infused, nora):
    run("sweep")
    assert "Whole." in run("reconcile")
