"""The worker and its beat. Messages only say "go and look": no payload, no ETA; the database holds the work."""

import os
from typing import Any

from celery import Celery, Task
from celery.exceptions import InvalidTaskError
from celery.signals import worker_process_init, worker_ready
from celery.worker import strategy
from django.conf import settings
from kombu.exceptions import ContentDisallowed, DecodeError

from config import broker
from config.supervisor import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

REFUSED = (InvalidTaskError, ContentDisallowed, DecodeError)


def careful(task: Task, app: Celery, consumer: Any, **options: Any) -> Any:
    """How a worker takes a message. One of the wrong shape is refused and logged like one of the wrong kind: left to
    itself Celery would end the worker over it.
    """
    take = strategy.default(task, app, consumer, **options)

    def handle(message: Any, body: Any, *callbacks: Any, **more: Any) -> Any:
        try:
            return take(message, body, *callbacks, **more)
        except REFUSED:
            raise
        except Exception as error:
            raise InvalidTaskError(f"a message of the wrong shape: {type(error).__name__}") from error

    return handle


class CarefulTask(Task):
    Strategy = "config.celery:careful"


broker.use()
app = Celery("registry", task_cls=CarefulTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule_filename = str(settings.DATA_DIR / "beat-schedule")
app.conf.beat_schedule = {
    "sweep": {"task": "followup.reminders.tasks.sweep", "schedule": float(settings.SWEEP_SECONDS)},
    "reports": {"task": "followup.reports.tasks.make_waiting", "schedule": 30.0},
    "accounts": {"task": "registry.signin.tasks.look_after_accounts", "schedule": 30.0},
    "imports": {"task": "registry.exchange.tasks.work_waiting", "schedule": 30.0},
    "copies": {"task": "followup.copies.tasks.make_waiting", "schedule": 30.0},
    "backups": {"task": "registry.backups.tasks.back_up_when_due", "schedule": 300.0},
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
