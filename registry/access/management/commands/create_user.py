"""The first administrator of an empty registry; after that, a request which a second person decides on."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.access import actions, policy
from registry.access.granting import Refused, holders
from registry.access.models import Site
from registry.audit.acting import acting_as


class Command(BaseCommand):
    help = "Create the first administrator, or ask for an account that an administrator then opens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="user name")
        parser.add_argument("--role", required=True, choices=list(policy.ROLES))
        parser.add_argument(
            "--site", default="", help="code of the site; left out for roles across all sites"
        )
        parser.add_argument(
            "--password-stdin", action="store_true", required=True, help="one line on standard input"
        )
        parser.add_argument("--full-name", default="")
        parser.add_argument("--email", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise CommandError("No password came on standard input.", returncode=2)
        person = {
            "username": options["name"], "full_name": options["full_name"], "email": options["email"],
            "password": password, "now": clock.now(),
        }  # fmt: skip
        site = self._site(options["site"])
        with acting_as("system:command", channel="command"):
            try:
                self.stdout.write(self._create(person, options["role"], site))
            except Refused as refusal:
                raise CommandError(str(refusal), returncode=1) from refusal

    def _create(self, person: dict[str, Any], role: str, site: Site | None) -> str:
        if holders("administrator", now=person["now"]).exists():
            request = actions.request_account(**person, role=role, site=site, by=None)
            return (
                f"Asked for {request.username}: a second person opens the account under Settings › Requests."
            )
        if role != "administrator":
            raise Refused("Nobody is an administrator yet, or any more: use --role administrator first.")
        user = actions.create_first_administrator(**person)
        return f"{user.username} is the first administrator and can sign in."

    def _site(self, code: str) -> Site | None:
        if not code:
            return None
        site = Site.objects.filter(code=code).first()
        if site is None:
            raise CommandError(f"There is no site {code}.", returncode=2)
        return site
