"""A registry of a stated size for the benchmarks, the same each time: 60 sites, two infusions a patient, the default plan.

First infusions are spread evenly over SPREAD_DAYS before TODAY, so that at 100,000 patients there are 3 M visits, of which
about 1.09 M are still planned; one in EVERY_LATE of those whose window has closed was never held and is overdue. One
patient in a hundred has died (visits closed), one in a hundred withdrew from visits (still owed by telephone).

Rows go in by COPY or executemany with the audit triggers away: only what is measured afterwards writes the trail.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection, models

from followup.schedule.actions import current_plan, ensure_default_plan
from followup.schedule.actions.plans import LoadedPlan
from followup.schedule.models import Visit
from followup.schedule.rules import PlannedVisit, planned_visits
from registry.access.models import Site, User
from registry.audit import triggers
from registry.audit.acting import acting_as
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient, StatusEvent
from tests.cast import NOW, TODAY, person

SITES = 60
SPREAD_DAYS = 3990
EVERY_LATE = 69
DAY = timedelta(days=1)
BETWEEN_INFUSIONS = 40 * DAY
DIED, LEFT = 17, 54  # of each hundred patients


def load(patients: int, *, sites: int = SITES) -> None:
    """Sites with a nurse each, a coordinator (`cora`), and so many patients with all their visits."""
    with acting_as("system:command"):
        ensure_default_plan(NOW)
        made = [
            Site.objects.create(code=f"S{n:02}", name=f"Site {n:02}", country="GB", time_zone="Europe/London")
            for n in range(sites)
        ]
        for n, site in enumerate(made):
            person(f"nurse{n:02}", "nurse", site)
        person("cora", "coordinator", None)
    triggers.drop(connection)
    try:
        _people(patients, [site.pk for site in made])
    finally:
        triggers.install(connection)
    settle()


def settle() -> None:
    """What autovacuum does in a registry that has stood for a while."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def cora() -> User:
    return User.objects.get(username="cora")


def infused_on(n: int) -> date:
    """7919 is prime to the spread: neighbours in the table are not neighbours in time."""
    return TODAY - (1 + n * 7919 % SPREAD_DAYS) * DAY


def _people(number: int, sites: list[int]) -> None:
    plan = current_plan()

    @lru_cache(maxsize=SPREAD_DAYS)
    def wanted_from(day: date) -> list[PlannedVisit]:
        return planned_visits(plan.rules, day - 10 * DAY, [(0, day), (1, day + BETWEEN_INFUSIONS)])

    insert(Patient, (_patient(n, sites) for n in range(number)))
    keys = list(Patient.objects.order_by("pk").values_list("pk", flat=True))
    insert(
        Enrolment,
        (Enrolment(patient_id=keys[n], enrolled_on=infused_on(n) - 10 * DAY) for n in range(number)),
    )
    insert(StatusEvent, (event for n in range(number) for event in _events(n, keys[n])))
    first = _next_pk(Infusion)
    insert(Infusion, (one for n in range(number) for one in _infusions(n, keys[n], sites[n % len(sites)])))
    insert(Visit, (
        _visit(plan, wanted, n, place, keys[n], sites[n % len(sites)], first)
        for n in range(number)
        for place, wanted in enumerate(wanted_from(infused_on(n)))
    ))  # fmt: skip


def _patient(n: int, sites: list[int]) -> Patient:
    status = {DIED: "deceased", LEFT: "withdrawn"}.get(n % 100, "in_follow_up")
    return Patient(patient_id=f"P-{n:06}", site_id=sites[n % len(sites)], status=status, sex_at_birth="female",
                   birth_year=1960, created_at=NOW)  # fmt: skip


def _events(n: int, key: int) -> Iterator[StatusEvent]:
    on = f"{TODAY - 30 * DAY}"
    if n % 100 == DIED:
        yield StatusEvent(
            patient_id=key, status="deceased", on_date=on, death_confirmed=True, recorded_at=NOW
        )
    elif n % 100 == LEFT:
        yield StatusEvent(patient_id=key, status="withdrawn", scope="no_visits", on_date=on, recorded_at=NOW)


def _infusions(n: int, patient: int, site: int) -> Iterator[Infusion]:
    for day in (infused_on(n), infused_on(n) + BETWEEN_INFUSIONS):
        yield Infusion(patient_id=patient, site_id=site, infused_on=day, route="iv_peripheral", weight_kg=80)


def _visit(
    plan: LoadedPlan, wanted: PlannedVisit, n: int, place: int, patient: int, site: int, first: int
) -> Visit:
    visit = Visit(
        patient_id=patient, site_id=site, timepoint_id=plan.timepoints[wanted.code].pk, visit_code=wanted.code,
        sequence=wanted.sequence, anchor=wanted.anchor, anchor_date=wanted.anchor_date,
        infusion_id=None if wanted.anchor_id is None else first + 2 * n + int(wanted.anchor_id),
        target_date=wanted.target, window_opens=wanted.opens, window_closes=wanted.closes,
        neoplasia_check=plan.timepoints[wanted.code].neoplasia_check, created_on=infused_on(n) - 10 * DAY,
    )  # fmt: skip
    if wanted.closes < TODAY and (n + 7 * place) % EVERY_LATE:
        visit.state, visit.actual_date, visit.contact_mode = "done", wanted.target, "on_site"
        visit.out_of_window = False
    elif n % 100 == DIED:
        visit.state, visit.state_reason = "not_required", "Closed by status: died 12 Feb 2031"
    elif n % 100 == LEFT:
        visit.contact_mode = "phone"
    return visit


def _next_pk(model: type[models.Model]) -> int:
    newest: int | None = model._default_manager.aggregate(newest=models.Max("pk"))["newest"]
    return (newest or 0) + 1


# Writing -----------------------------------------------------------------------------------------------------


def insert(model: type[models.Model], rows: Iterable[models.Model]) -> int:
    """The limit: one stream of rows, made already, into the table with whatever triggers and indexes it has."""
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    table, attributes = model._meta.db_table, [field.attname for field in fields]
    lines: Iterator[list[Any]] = ([getattr(row, name) for name in attributes] for row in rows)
    number = 0

    def counted() -> Iterator[list[Any]]:
        nonlocal number
        for line in lines:
            number += 1
            yield line

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for line in counted():
                    copy.write_row(line)
        else:
            marks = ", ".join(["%s"] * len(fields))
            prepared = ([_plain(value) for value in line] for line in counted())
            cursor.executemany(
                " ".join(["INSERT INTO", table, f"({names})", "VALUES", f"({marks})"]), prepared
            )
    return number


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return value.isoformat() if isinstance(value, date | time) else value
