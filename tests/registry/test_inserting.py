"""Many rows in one statement: complete, in the trail, and never twice."""

import pytest

from followup.reminders.models import Reminder
from registry.audit.models import AuditEntry
from registry.inserting import insert_rows
from tests.cast import TODAY
from tests.followup.reminders.scene import a_patient, a_visit

pytestmark = pytest.mark.django_db
NAMES = ("visit_id", "patient_id", "step", "rank", "target_date")


def test_rows_are_whole_in_the_trail_and_there_once(riverside):
    visits = [a_visit(a_patient(riverside, number)) for number in (1, 2)]
    rows = [(visit.pk, visit.patient_id, "due", 2, visit.target_date) for visit in visits]
    for _ in range(2):
        insert_rows(Reminder, NAMES, rows, site_id=riverside.pk, raised_on=TODAY, recipient_kind="site_staff")
    stored = list(Reminder.objects.order_by("pk"))
    assert [row.visit_id for row in stored] == [visit.pk for visit in visits]
    assert {(row.state, row.generation, row.is_open, row.sent_at) for row in stored} == {
        ("raised", 1, True, None)
    }
    table = Reminder._meta.db_table
    assert AuditEntry.objects.filter(table_name=table, action="insert").count() == 2


def test_no_rows_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        insert_rows(Reminder, NAMES, [])


def test_a_column_nobody_knows_is_refused(riverside):
    with pytest.raises(ValueError, match="Reminder has no column colour"):
        insert_rows(Reminder, ("colour",), [("red",)])
