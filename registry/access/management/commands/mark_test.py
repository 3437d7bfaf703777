"""Marks an empty registry as a test one, for ever: only there may the clock be set."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from registry.access.models import Registry
from registry.audit.acting import acting_as

HOLDS_FACTS = ("access.Site", "patients.Patient", "products.Lot")


class Command(BaseCommand):
    help = "Mark this empty registry as a test registry. It stays one."

    def handle(self, *args: Any, **options: Any) -> None:
        registry = Registry.current()
        if registry.kind == "test":
            self.stdout.write("This is a test registry already.")
            return
        full = [label for label in HOLDS_FACTS if apps.get_model(label)._default_manager.exists()]
        if full or registry.kind != "live":
            raise CommandError("Only an empty registry can become a test registry.", returncode=1)
        with acting_as("system:command", channel="command"):
            registry.kind = "test"
            registry.save()
        self.stdout.write("This is now a test registry, for ever.")
