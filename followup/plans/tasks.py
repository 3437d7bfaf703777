"""What the worker does as soon as a version is put in force. The sweep does the same; only the rows matter."""

from celery import shared_task

from followup.schedule.actions import repair_plans
from registry import clock
from registry.backups import unfinished


@shared_task(ignore_result=True)
def reach_everybody() -> None:
    unfinished.refuse()
    repair_plans(clock.now())
