"""The worker and its beat. Messages only say "go and look": no payload, no ETA; the database holds the work."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready
from django.conf import settings

from config.supervisor import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("registry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule_filename = str(settings.DATA_DIR / "beat-schedule")
app.conf.beat_schedule = {
    "sweep": {"task": "followup.reminders.tasks.sweep", "schedule": float(settings.SWEEP_SECONDS)},
    "reports": {"task": "followup.reports.tasks.make_waiting", "schedule": 30.0},
    "imports": {"task": "registry.exchange.tasks.work_waiting", "schedule": 30.0},
}
# A task that hangs is killed with its pool process; its row's lease lapses and it is tried again.
app.conf.task_time_limit = 30 * 60


@worker_ready.connect
def look_at_once(**kwargs: Any) -> None:
    """Whatever fell due while nothing ran is not left to the first tick of the beat."""
    for entry in app.conf.beat_schedule.values():
        app.send_task(entry["task"])


@worker_process_init.connect
def end_with_the_worker(**kwargs: Any) -> None:
    """A pool process must not go on working for a worker that was killed."""
    die_with_parent(os.getppid())
