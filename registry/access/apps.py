from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _make_cache_table(*, using: str, **_: Any) -> None:
    from django.core.management import call_command

    # By its name, so that it is there even if Redis is taken away again later.
    call_command("createcachetable", "cache_entry", database=using, verbosity=0)


class AccessConfig(AppConfig):
    name = "registry.access"
    label = "access"

    def ready(self) -> None:
        from registry.access import signals

        signals.connect()
        post_migrate.connect(_make_cache_table, sender=self, dispatch_uid="access-cache-table")
