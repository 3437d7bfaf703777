import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.audit import anchors, seals
from registry.audit.acting import acting_as
from registry.audit.actions import record_event


class Command(BaseCommand):
    help = "Closes a seal over the entries written since the last one, and writes it into the anchor file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--new-anchor",
            action="store_true",
            help="begin a new anchor file: this registry was restored or moved",
        )
        parser.add_argument("--reason", default="", help="why the anchor begins anew; stays in the trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_anchor"]:
            self._begin_anew(options["reason"].strip())
        made = seals.seal(now=clock.now())
        anchors.catch_up()
        facts: dict[str, Any] = {
            "seal": made.pk if made else None,
            "entries": made.entries if made else 0,
            "head": seals.head(),
            "anchor": str(anchors.path()),
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(f"{facts['entries']} entries sealed, head {facts['head'][:16] or 'none yet'}")

    def _begin_anew(self, reason: str) -> None:
        if not reason:
            raise CommandError(
                "Say why with --reason: it stays in the trail beside what the old file last knew."
            )
        now = clock.now()
        with acting_as("system:command", channel="command", reason=reason):
            record_event(action="anchor begun anew", about="audit_seal", detail=seals.head(), now=now)
        seals.seal(now=now)
        anchors.begin_anew(reason=reason, now=now)
