from celery import shared_task

from registry import clock
from registry.backups import schedule


@shared_task
def back_up_when_due() -> None:
    """Go and look: whether it is time for a backup."""
    schedule.back_up_when_due(clock=clock.now)
