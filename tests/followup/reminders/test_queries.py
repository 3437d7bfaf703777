"""As many queries for one reminder as for many, and the export of the contract."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from followup.reminders.exports import REMINDERS
from registry.access.models import SiteScope
from registry.exchange.exporting import Scope, tables
from tests.cast import NOW, TODAY
from tests.followup.reminders.scene import a_patient, a_visit, at, sweep_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def visits(riverside, harbour, nora, hana):
    targets = [TODAY, date(2029, 1, 1), TODAY + timedelta(days=20)]
    made = [a_visit(a_patient(riverside, n), target) for n, target in enumerate(targets)]
    made.append(a_visit(a_patient(harbour)))
    sweep_on(TODAY)
    return made


def test_an_idle_sweep_asks_as_often_for_many_as_for_few(visits, riverside, nora):
    sweep_on(TODAY)
    with CaptureQueriesContext(connection) as few:
        sweep_on(TODAY)
    for number in range(10, 60):
        a_visit(a_patient(riverside, number))
    tomorrow = TODAY + timedelta(days=1)
    sweep_on(tomorrow)
    with CaptureQueriesContext(connection) as many:
        sweep_on(tomorrow)
    assert len(many) == len(few)


def test_reminders_csv_has_the_columns_of_the_contract(visits, riverside):
    assert ",".join(REMINDERS.columns) == (
        "patient_id,visit_code,sequence,step,recipient_kind,channel,generation,raised_on,state,sent_at"
    )
    assert REMINDERS in tables()
    everywhere = Scope(SiteScope(everywhere=True), NOW)
    rows = list(REMINDERS.rows(everywhere))
    assert ("HAR-0001", "M12", 1, "due", "site_staff", "email", 1, TODAY, "sent", at(TODAY)) in rows
    assert len(rows) == 4
    own = Scope(SiteScope(site_ids=frozenset({riverside.pk})), NOW)
    assert {row[0][:3] for row in REMINDERS.rows(own)} == {"RIV"}
