import sys
from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


def _register_functions(*, connection: Any, **_: Any) -> None:
    from registry.audit.acting import sqlite_context, sqlite_mac
    from registry.audit.locks import sqlite_note_refused
    from registry.audit.tables_anew import SchemaEditor

    if connection.vendor == "sqlite":
        connection.SchemaEditorClass = SchemaEditor
        connection.connection.create_function("audit_context", 1, sqlite_context)
        connection.connection.create_function("audit_mac", -1, sqlite_mac)
        connection.connection.create_function("audit_note_refused", 2, sqlite_note_refused)


def _install_triggers(*, using: str, **_: Any) -> None:
    from django.db import connections

    from registry.audit import triggers

    triggers.install(connections[using])


class AuditConfig(AppConfig):
    name = "registry.audit"
    label = "audit"

    def ready(self) -> None:
        connection_created.connect(_register_functions, dispatch_uid="audit-functions")
        post_migrate.connect(_install_triggers, sender=self, dispatch_uid="audit-triggers")
        if "migrate" in sys.argv[1:2]:
            from registry.audit.acting import act_for_process

            act_for_process("system:migrate")
