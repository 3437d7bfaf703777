from celery import shared_task

from registry import clock
from registry.exchange import exports, runs


@shared_task
def work_waiting() -> None:
    """Go and look: imports to check or store, exports to make."""
    runs.work_waiting(now=clock.now)
    exports.work_waiting(now=clock.now)
