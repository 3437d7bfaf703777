"""Speed as ratios within one run: ours beside the per-row way of peers and beside the limit of the database.

`make bench` prints one table and keeps nothing (with ARGS=--reuse-db it keeps the loaded registry for another run).
BENCH_PATIENTS sets the size (2000; 100000 is full size, see loader.py), TEST_DATABASE_URL the database. Only results are
asserted, never seconds.
"""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.mail import EmailMessage, get_connection
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Count, Q

from config.celery import app
from followup.desk import waiting
from followup.labs.models import LabResult
from followup.reminders.dispatch import dispatch
from followup.reminders.models import Reminder
from followup.reminders.planning import plan_messages
from followup.reminders.raising import SitePlan, raise_for_site
from followup.reminders.rules import step_rank
from followup.reminders.staff import staff_of
from followup.schedule.actions import plan_visits
from followup.schedule.models import Visit, VisitAssessment
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.batches import batches
from registry.exchange.actions import import_file
from registry.exchange.resources import Context
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient
from tests.benchmarks import loader
from tests.cast import NOW, TODAY

PATIENTS = int(os.environ.get("BENCH_PATIENTS", "2000"))
SCHEDULED = int(os.environ.get("BENCH_SCHEDULED", str(min(1000, PATIENTS // 20))))
IN_THE_FILE = min(PATIENTS, 2000)
SAMPLE = 200  # the per-row ways are measured on so many and scaled up
LIST = 50
RUNS = 40
LATE = Q(state="planned", window_closes__lt=TODAY)

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db]
Row = tuple[str, float, float, float]
rows_of_table: list[Row] = []


def seconds(work: Callable[[], Any], *, times: int = 1) -> tuple[float, Any]:
    """The fastest of so many runs, and what the last one gave."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - started)
    return best, found


def rolled_back(work: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with acting_as("system:command"):
            found = work()
            transaction.set_rollback(True)
        return found

    return run


def undone(work: Callable[[], Any]) -> Callable[[], Any]:
    """Inside a transaction of the caller's."""

    def run() -> Any:
        point = transaction.savepoint()
        found = work()
        transaction.savepoint_rollback(point)
        return found

    return run


def p95(work: Callable[[], Any]) -> tuple[float, Any]:
    """Of RUNS runs, and what the last one gave."""
    work()
    taken = sorted(seconds(work)[0] for _ in range(RUNS))
    return taken[int(RUNS * 0.95)], work()


@pytest.fixture(scope="module", autouse=True)
def registry(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Loaded once for all rows of the table: what they write is rolled back."""
    with django_db_blocker.unblock():
        if Patient.objects.count() != PATIENTS:
            loader.load(PATIENTS)
        yield
        if not request.config.getoption("reuse_db"):
            call_command("flush", interactive=False, verbosity=0)
    processors, now = os.cpu_count(), ", ".join(f"{load:.0f}" for load in os.getloadavg())
    print(f"\n\n{connection.vendor}, {PATIENTS} patients; {processors} processors, load {now}, "
          f"Python {platform.python_version()}, Django {django.__version__}")  # fmt: skip
    print(f"{'operation':<30}{'per row, s':>12}{'ours, s':>10}{'limit, s':>10}{'× faster':>10}{'× limit':>9}")
    for name, peer, ours, limit in rows_of_table:
        print(f"{name:<30}{peer:>12.3f}{ours:>10.4f}{limit:>10.4f}{peer / ours:>10.1f}{ours / limit:>9.2f}")


# Planning ----------------------------------------------------------------------------------------------------


def test_schedule() -> None:
    """Newcomers with two infusions each: about 30 visits of about nine parts."""
    with acting_as("system:command"):
        site = Site.objects.order_by("pk")[0]
        people = Patient.objects.bulk_create(
            Patient(
                patient_id=f"NEW-{n:05}", site=site, status="in_follow_up", birth_year=1960, created_at=NOW
            )
            for n in range(SCHEDULED)
        )
        Enrolment.objects.bulk_create(Enrolment(patient=one, enrolled_on=TODAY) for one in people)
        Infusion.objects.bulk_create(
            Infusion(patient=one, site=site, infused_on=day, route="iv_peripheral", weight_kg=80)
            for one in people
            for day in (TODAY, TODAY + loader.BETWEEN_INFUSIONS)
        )
        keys = [one.pk for one in people]
        ours, (visits, parts) = seconds(undone(lambda: _planned(keys)))
        one_patient, _ = seconds(undone(lambda: _planned(keys[:1])), times=5)
        limit, _ = seconds(undone(lambda: loader.insert(Visit, visits)))
        loader.insert(Visit, visits)  # the parts hang on some visits, whichever
        stored = Visit.objects.filter(patient__in=keys).order_by("pk").values_list("pk", flat=True)
        for part, visit in zip(parts, _each(list(stored), parts), strict=True):
            part.visit_id = visit
        limit += seconds(undone(lambda: loader.insert(VisitAssessment, parts)))[0]
        few = parts[:SAMPLE]
        peer = seconds(undone(lambda: [_saved(part) for part in few]))[0] * len(parts) / len(few)
        assert len(visits) > 25 * SCHEDULED
        transaction.set_rollback(True)
    rows_of_table.append((f"schedule, {len(visits)} visits", peer, ours, limit))
    rows_of_table.append(("schedule, one patient", peer / SCHEDULED, one_patient, limit / SCHEDULED))


def _planned(keys: list[int]) -> tuple[list[Visit], list[VisitAssessment]]:
    plan_visits(keys, now=NOW)
    visits = list(Visit.objects.filter(patient__in=keys).order_by("pk"))
    return visits, list(VisitAssessment.objects.filter(visit__patient__in=keys).order_by("visit", "pk"))


def _each(visits: list[int], parts: list[VisitAssessment]) -> Iterator[int]:
    """The visit of each part, by the place of its own visit."""
    place = {pk: n for n, pk in enumerate(dict.fromkeys(part.visit_id for part in parts))}
    return (visits[place[part.visit_id]] for part in parts)


def _saved(part: VisitAssessment) -> None:
    VisitAssessment(visit_id=part.visit_id, code=part.code).save()


# Reminders ---------------------------------------------------------------------------------------------------


def test_reminders_then_what_is_read_of_them() -> None:
    peer, ours, limit = _reminders()
    rows_of_table.append((f"nightly, {Reminder.objects.count()} due", peer, ours, limit))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does within a minute
    again, raised = seconds(_raise_all)
    rows_of_table.append(("the same again", peer, again, limit))
    assert raised == 0
    _worklists()
    rows_of_table.append(("overdue count", *_overdue()))
    rows_of_table.append(("dispatch", *_dispatch()))


def _reminders() -> tuple[float, float, float]:
    ours, raised = seconds(_raise_all)
    ready = list(Reminder.objects.order_by("pk"))
    assert raised == len(ready) > 0
    for row in ready:
        row.generation = 2
    limit, _ = seconds(rolled_back(lambda: loader.insert(Reminder, ready)))
    people = list(Patient.objects.order_by("pk").values_list("pk", flat=True)[:SAMPLE])
    looking, _ = seconds(lambda: [_look_after(pk) for pk in people])
    saving, _ = seconds(rolled_back(lambda: [_save_again(row) for row in ready[:SAMPLE]]))
    return looking * PATIENTS / len(people) + saving * len(ready) / len(ready[:SAMPLE]), ours, limit


def _raise_all() -> int:
    plan = SitePlan.read()
    return sum(
        raise_for_site(
            site, plan=plan, staff=staff_of(site.pk, on=TODAY), on=TODAY, by="system:worker"
        ).raised
        for site in Site.objects.order_by("pk")
    )


def _look_after(patient: int) -> None:
    """What a loop over patients asks of each, before it saves anything."""
    planned = list(Visit.objects.filter(patient=patient, state="planned", target_date__lte=TODAY))
    list(Reminder.objects.filter(visit__in=planned, is_open=True))


def _save_again(row: Reminder) -> None:
    Reminder(
        patient_id=row.patient_id, site_id=row.site_id, visit_id=row.visit_id, step=row.step, generation=3,
        rank=step_rank(row.step), recipient_kind="site_staff", target_date=row.target_date, raised_on=TODAY,
    ).save()  # fmt: skip


# Reading -----------------------------------------------------------------------------------------------------


def _worklists() -> None:
    every = list(Site.objects.order_by("pk"))
    days = {site.pk: TODAY for site in every}
    for name, user, sites in (
        ("site", User.objects.get(username="nurse07"), [site for site in every if site.code == "S07"]),
        ("national", loader.cora(), every),
    ):
        rows_of_table.append((f"worklist, {LIST} rows, {name}", *_worklist(user, sites, days)))
        peer = rows_of_table[-1][1]
        today, _ = seconds(lambda u=user, s=sites: waiting.waiting_visits(u, s, days, show_all=""), times=5)
        rows_of_table.append((f"Today with counts, {name}", peer, today, rows_of_table[-1][3]))


def _worklist(user: User, sites: list[Site], days: dict[int, Any]) -> tuple[float, float, float]:
    keys = [site.pk for site in sites]
    user.scope("visits.view")  # read once a request
    here = (
        waiting.waiting_for(user, sites).filter(waiting.late_on(sites, days)).order_by("window_closes", "pk")
    )
    lines = here.select_related("patient", "site", "timepoint")
    ours, found = p95(lambda: [visit.patient.patient_id for visit in lines.all()[:LIST]])
    bare = "SELECT p.patient_id FROM schedule_visit v JOIN patients_patient p ON p.id = v.patient_id "
    bare += "JOIN access_site s ON s.id = v.site_id JOIN schedule_timepoint t ON t.id = v.timepoint_id "
    bare += "WHERE v.state = 'planned' AND v.window_closes < %s "
    bare += "AND v.site_id = %s " if len(keys) == 1 else ""
    bare += f"ORDER BY v.window_closes, v.id LIMIT {LIST}"

    def least() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(bare, [TODAY, *(keys if len(keys) == 1 else [])])
            return [row[0] for row in cursor.fetchall()]

    limit, wanted = p95(least)
    assert found == wanted
    return _by_foreign_keys_alone(keys), ours, limit


def _by_foreign_keys_alone(sites: list[int]) -> float:
    """The list as a registry without indexes of its own finds it, with related rows one by one."""
    late = Visit.objects.filter(LATE, site__in=sites).order_by("window_closes", "pk")
    of_ours = [index.name for index in Visit._meta.indexes]

    def slow() -> float:
        with connection.cursor() as cursor:
            for name in of_ours:
                cursor.execute(f'DROP INDEX "{name}"')
        return seconds(
            lambda: [(v.patient.patient_id, v.site.name, v.timepoint) for v in late.all()[:LIST]], times=3
        )[0]

    return float(rolled_back(slow)())


def _overdue() -> tuple[float, float, float]:
    def bare() -> dict[int, int]:
        query = ("SELECT site_id, count(*) FROM schedule_visit WHERE state = 'planned' AND window_closes < %s "
                 "GROUP BY site_id")  # fmt: skip
        with connection.cursor() as cursor:
            return dict(cursor.execute(query, [TODAY]).fetchall())

    planned = Visit.objects.filter(LATE).select_related("patient").order_by("pk")
    peer, slow = seconds(lambda: Counter(visit.patient.site_id for visit in planned.iterator()))
    groups = Visit.objects.filter(LATE).order_by("site").values_list("site")
    ours, fast = seconds(lambda: dict(groups.annotate(Count("pk"))), times=5)
    limit, least = seconds(bare, times=5)
    assert slow == fast == least
    return peer, ours, limit


# Sending -----------------------------------------------------------------------------------------------------


@app.task(name="tests.tell_one")
def tell_one(pk: int) -> None:
    """A task of its own for each reminder, without its way through a broker."""
    row = Reminder.objects.select_related("patient", "site", "visit").get(pk=pk)
    if row.is_open and row.state == "raised":
        EmailMessage(
            "Your worklist", f"{row.step}", to=["nurse@example.org"], connection=get_connection()
        ).send()
        row.state, row.sent_at = "sent", NOW
        row.save()


def _dispatch() -> tuple[float, float, float]:
    waiting_rows = Reminder.objects.filter(state="raised", is_open=True)
    number = waiting_rows.count()
    sample = list(waiting_rows.order_by("pk").values_list("pk", flat=True)[:SAMPLE])
    peer, _ = seconds(rolled_back(lambda: [tell_one.apply((pk,), throw=True) for pk in sample]))
    limit, _ = seconds(
        rolled_back(lambda: _marked(list(waiting_rows.order_by("pk").values_list("pk", flat=True))))
    )
    ours, _ = seconds(rolled_back(_send_all))
    return peer * number / len(sample), ours, limit


def _marked(keys: list[int]) -> None:
    """In parts: the trail compares old and new rows of one statement, which takes long for many."""
    for some in batches(keys):
        Reminder.objects.filter(pk__in=some).update(state="sent", sent_at=NOW)


def _send_all() -> None:
    for site in Site.objects.order_by("pk"):
        plan_messages(site, staff=staff_of(site.pk, on=TODAY), on=TODAY, by="system:worker")
    dispatch(as_of=NOW, clock=lambda: NOW, by="system:worker")
    assert not Reminder.objects.filter(state="raised", is_open=True).exists()


# Importing ---------------------------------------------------------------------------------------------------


def test_import_labs(tmp_path: Path) -> None:
    path = tmp_path / "labs.csv"
    head = "patient_id,collected_at,analyte,value,unit,laboratory,accession\n"
    path.write_text(head + "".join(
        f"P-{n:06},2030-07-01T08:30,{analyte},{value},{unit},Central,A-{n}\n"
        for n in range(IN_THE_FILE)
        for analyte, value, unit in (("hba1c", "7.1", "%"), ("fasting_glucose", "144", "mg/dL"), ("alt", "25", "U/L"))
    ))  # fmt: skip
    context = Context(now=NOW, by=None, reason="")

    def bring() -> list[LabResult]:
        report = import_file(kind="labs", path=path, context=context, commit=True)
        assert report.created == IN_THE_FILE * 3
        return list(LabResult.objects.order_by("pk"))

    ours, ready = seconds(rolled_back(bring))
    for result in ready:
        result.pk, result.laboratory_id = None, None
    limit, _ = seconds(rolled_back(lambda: loader.insert(LabResult, ready)))
    sample = ready[:SAMPLE]
    peer, _ = seconds(rolled_back(lambda: [_check_and_save(result) for result in sample]))
    rows_of_table.append(("import labs", peer * len(ready) / len(sample), ours, limit))


def _check_and_save(result: LabResult) -> None:
    result.patient = Patient.objects.get(pk=result.patient_id)
    result.full_clean(exclude=[f.name for f in LabResult._meta.fields if f.null and not f.blank])
    result.save()
