"""A click nudges the worker; only the row in the database matters, so a lost nudge costs one tick of the beat."""

import logging
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def after_commit(task: Any) -> None:
    transaction.on_commit(lambda: _send(task))


def _send(task: Any) -> None:
    try:
        task.apply_async(retry=False, ignore_result=True)
    except (OperationalError, OSError):
        log.warning("the broker cannot be reached; the worker will find the work at its next look")
