"""Whether the registry is alive (`/healthz`) and whether people may rely on it (`/readyz`). Open to all; no clinical data."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from followup.reminders.models import SweepRun
from followup.reminders.rules import SWEEP_MAX_AGE
from registry import clock
from registry.backups.status import Line, provide

QUEUE_MAX_AGE = timedelta(minutes=15)
# Rows that wait for the worker: model, the states in which they wait, the moment they began to.
QUEUES = {
    "imports": ("exchange.ImportRun", ("waiting", "confirmed"), "requested_at"),
    "reports": ("reports.ReportRun", ("waiting",), "requested_at"),
}


class NotReady(Exception):
    """One reason not to rely on the registry now, in words for the person who looks after it."""


def _no_store(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    return response


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. It asks nothing else, so a slow database does not get the process restarted."""
    return _no_store(JsonResponse({"status": "alive"}))


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    report = readiness(now=clock.now())
    return _no_store(JsonResponse(report, status=200 if report["status"] == "ready" else 503))


def readiness(*, now: datetime) -> dict[str, Any]:
    """Every check is made, so that one answer names every reason; without a database the others cannot be."""
    checks: dict[str, Any] = {}
    reasons: list[str] = []
    for name, check in CHECKS.items():
        try:
            checks[name] = check(now)
        except NotReady as reason:
            checks[name] = None
            reasons.append(f"{name}: {reason}")
        except DatabaseError:
            checks[name] = None
            reasons.append(f"{name}: the database cannot be read")
            if name == "database":
                break
    return {"status": "not ready" if reasons else "ready", "reasons": reasons, "checks": checks}


def sweep_trouble(*, now: datetime) -> str:
    """Why nobody is being reminded now, or nothing: for the banner of every page, at the price of one query."""
    try:
        sweep_age(now)
    except NotReady as reason:
        return f"sweep: {reason}"
    return ""


def _database(now: datetime) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return connection.vendor


def _migrations(now: datetime) -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        raise NotReady(f"{len(waiting)} not applied; run `manage.py migrate`")
    return "applied"


def sweep_age(now: datetime) -> int:
    """Age in seconds of the last finished sweep: without sweeps nobody is reminded."""
    finished_at = SweepRun.last_whole_at(now)
    if finished_at is None:
        raise NotReady("none has finished yet; is the worker running?")
    age = now - finished_at
    if age > SWEEP_MAX_AGE:
        raise NotReady(f"the last one finished {_minutes(age)} min ago; are worker and beat running?")
    return int(age.total_seconds())


def _queue(now: datetime) -> dict[str, int]:
    """Age in seconds of the row that has waited longest for the worker, by queue."""
    ages = {name: _longest_wait(name, now) for name in QUEUES}
    late = {name: age for name, age in ages.items() if age > QUEUE_MAX_AGE}
    if late:
        raise NotReady("; ".join(f"{name} have waited {_minutes(age)} min" for name, age in late.items()))
    return {name: int(age.total_seconds()) for name, age in ages.items()}


def _longest_wait(name: str, now: datetime) -> timedelta:
    label, states, moment = QUEUES[name]
    waiting = apps.get_model(label).objects.filter(state__in=states)
    first = waiting.aggregate(first=Min(moment))["first"]
    return now - first if first else timedelta()


def queue_lines(now: datetime) -> Iterable[Line]:
    """For the status page."""
    for name in QUEUES:
        age = _longest_wait(name, now)
        facts = f"the oldest has waited {_minutes(age)} min" if age else "nothing waits"
        if age > QUEUE_MAX_AGE:
            yield Line(f"Queue of {name}", "alarm", "Stuck", facts, "See that the worker runs (make run).")
        else:
            yield Line(f"Queue of {name}", "done", "Moving", facts)


def _minutes(age: timedelta) -> int:
    return int(age.total_seconds() // 60)


CHECKS: dict[str, Callable[[datetime], Any]] = {
    "database": _database,
    "migrations": _migrations,
    "sweep": sweep_age,
    "queue": _queue,
}
provide("Follow-up", queue_lines)
