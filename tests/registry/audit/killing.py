"""Run as a program: writes again and again, each time in a process of its own that is killed part of the way.

`python killing.py N` makes N such processes. On SQLite half of them die inside the trigger, after the row was written and
before its entry; on PostgreSQL, and for the other half, between the statement and the end of its transaction.
"""

import os
import random
import signal
import sys
from typing import Any


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_and_die(nth: int) -> None:
    from django.db import connection

    from registry.access.models import Site
    from registry.audit.acting import acting_as

    chance = random.Random(nth)
    die_at = chance.randrange(1, 6)
    for turn in range(1, 6):
        with acting_as("system:command"):
            if turn == die_at and nth % 2 and connection.vendor == "sqlite":
                connection.ensure_connection()
                connection.connection.create_function("audit_mac", -1, die)
            code = f"S{nth}-{turn}"
            Site.objects.create(code=code, name="Killed", country="GB", time_zone="Europe/London")
            Site.objects.filter(code=code).update(name=f"Turn {turn}")
            if turn == die_at:
                die()


def main(count: int) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.db import connections

    for nth in range(count):
        connections.close_all()
        child = os.fork()
        if child == 0:
            write_and_die(nth)
            os._exit(9)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"process {nth} was not killed: {status}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
