"""A status closes, changes or reopens the visits ahead, and never those that were held."""

from datetime import date, timedelta

import pytest

from followup.schedule.actions import mark_not_required, plan_visits, repair_plans
from followup.schedule.models import Visit
from registry.patients.models import Consent, ConsentDocument, Patient
from registry.patients.signals import status_changed
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import INFUSED, infuse, planned, say, visit_of

pytestmark = pytest.mark.django_db


def tell(patient: Patient) -> None:
    status_changed.send(sender=Patient, patients=[patient.pk], now=NOW)


def states(patient: Patient) -> set[str]:
    return set(Visit.objects.filter(patient=patient).values_list("state", flat=True))


def test_a_confirmed_death_closes_what_is_ahead_and_keeps_what_was_held(riverside):
    patient = planned(riverside)
    Visit.objects.filter(visit_code="D7").update(state="done", actual_date=INFUSED + timedelta(days=7))
    say(patient, "deceased", date(2031, 3, 1), death_confirmed=True)
    tell(patient)
    assert visit_of(patient, "D7").state == "done"
    closed = visit_of(patient, "M24")
    assert (closed.state, closed.state_reason) == ("not_required", "Closed by status: died 1 Mar 2031")
    assert states(patient) == {"done", "not_required"}


@pytest.mark.parametrize("confirmed", [None, False])
def test_a_reported_death_closes_nothing(riverside, confirmed):
    patient = planned(riverside)
    say(patient, "deceased", death_confirmed=confirmed)
    tell(patient)
    assert states(patient) == {"planned"}


def test_a_death_taken_back_opens_the_visits_again_but_not_what_a_person_closed(riverside, nora):
    patient = planned(riverside)
    by_hand = visit_of(patient, "SCR")
    mark_not_required(visit=by_hand, reason="Done before referral", by=nora, now=NOW, version=by_hand.version)
    say(patient, "deceased", TODAY - timedelta(days=3), death_confirmed=True)
    tell(patient)
    say(patient, "in_follow_up", TODAY - timedelta(days=2))
    tell(patient)
    assert visit_of(patient, "M24").state == "planned"
    assert visit_of(patient, "SCR").state == "not_required"


@pytest.mark.parametrize(
    ("scope", "linkage", "state", "mode"),
    [
        ("no_cells", False, "planned", ""),
        ("no_visits", False, "planned", "phone"),
        ("no_contact", True, "planned", "records"),
        ("no_contact", False, "not_required", ""),
        ("no_new_data", True, "not_required", ""),
        ("erase", True, "not_required", ""),
        ("", False, "planned", ""),
    ],
)
def test_a_withdrawal_does_what_its_scope_says(riverside, scope, linkage, state, mode):
    patient = planned(riverside)
    document = ConsentDocument.objects.create(version="1.0")
    Consent.objects.create(
        patient=patient, document=document, signed_on=date(2030, 1, 9), tier_linkage=linkage, recorded_at=NOW
    )
    say(patient, "withdrawn", scope=scope)
    tell(patient)
    visit = visit_of(patient, "M24")
    assert visit.state == state
    if state == "planned":
        assert visit.contact_mode == mode
        assert visit.planned_mode == (mode or "on_site")


def test_visits_planned_after_the_death_are_closed_too_and_the_sweep_repairs_lost_news(riverside):
    patient = planned(riverside)
    say(patient, "deceased", death_confirmed=True)
    repair_plans(NOW)
    assert states(patient) == {"not_required"}
    infuse(patient, INFUSED + timedelta(days=30))
    plan_visits([patient.pk], now=NOW)
    assert visit_of(patient, "D7", 2).state == "not_required"
