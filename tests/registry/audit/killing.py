"""Run as a program: writes again and again, each time in a process of its own that is killed part of the way.

`python killing.py N` makes N such processes, and prints how many rows must stand afterwards. By turns they die after the end
of a transaction, before it, and on SQLite inside the trigger, after the row was written and before its entry.
"""

import os
import random
import signal
import sys
from typing import Any

AFTER, BEFORE, INSIDE = range(3)  # the end of the transaction; the trigger
TURNS = 5


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plan(nth: int, vendor: str) -> tuple[int, int]:
    """How the nth process dies, and in which of its turns."""
    how = nth % 3
    if how == INSIDE and vendor != "sqlite":
        how = BEFORE
    return how, random.Random(nth).randrange(1, TURNS + 1)


def write_and_die(nth: int) -> None:
    from django.db import connection

    from registry.access.models import Site
    from registry.audit.acting import acting_as

    how, die_at = plan(nth, connection.vendor)
    for turn in range(1, TURNS + 1):
        last = turn == die_at
        with acting_as("system:command"):  # which is a transaction
            if last and how == INSIDE:
                connection.ensure_connection()
                connection.connection.create_function("audit_mac", -1, die)
            code = f"S{nth}-{turn}"
            Site.objects.create(code=code, name="Killed", country="GB", time_zone="Europe/London")
            Site.objects.filter(code=code).update(name=f"Turn {turn}")
            if last and how != AFTER:
                die()
        if last:
            die()


def main(count: int) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.db import connection, connections

    stand = 0
    for nth in range(count):
        connections.close_all()
        child = os.fork()
        if child == 0:
            write_and_die(nth)
            os._exit(9)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"process {nth} was not killed: {status}")
        how, die_at = plan(nth, connection.vendor)
        stand += die_at if how == AFTER else die_at - 1
    print(stand)


if __name__ == "__main__":
    main(int(sys.argv[1]))
