import json
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from followup.reports.actions import CLOSED_ACT, SAFETY_ACT
from followup.reports.collect_safety import NumbersDisagree
from followup.reports.command import add_output_options, check_folders, day
from followup.reports.making import make_safety
from followup.reports.provenance import seal_data
from followup.reports.render import RenderFailed
from registry import clock
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange.command import person_named


class Command(BaseCommand):
    help = "Makes the periodic safety report as a PDF. The same data and period give the same bytes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="period_from", type=day, required=True, metavar="D")
        parser.add_argument(
            "--to", dest="period_to", type=day, required=True, metavar="D", help="the cut-off"
        )
        parser.add_argument("--site", default="", metavar="S", help="only this site (its code)")
        parser.add_argument(
            "--closed",
            action="store_true",
            help="the unblinded one of a blinded protocol; --by names a safety officer",
        )
        add_output_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now, by = clock.now(), person_named(options["by"])
        period = (options["period_from"], options["period_to"])
        _check_period(*period, today=now.date())
        check_folders(options["out"], options["numbers"])
        site = _site(options["site"], by, CLOSED_ACT if options["closed"] else SAFETY_ACT)
        if options["closed"] and by is None:
            raise CommandError(
                "A closed report is made by a safety officer: name one with --by.", returncode=2
            )
        seal_data(now=now)
        try:
            made = make_safety(
                site=site, period_from=period[0], period_to=period[1], pdf=options["out"], numbers=options["numbers"],
                is_closed=options["closed"],
            )  # fmt: skip
        except (RenderFailed, NumbersDisagree) as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        kind = "closed safety report" if options["closed"] else "safety report"
        detail = f"{kind} {period[0]} to {period[1]}, {site or 'all sites'}, numbers {made.numbers_sha256}"
        with acting_as(by or "system:command", channel="command"):
            record_event(action="report", about="reports_reportrun", detail=detail, now=now)
        self.stdout.write(
            json.dumps(vars(made))
            if options["json"]
            else f"{options['out']}: {made.pages} pages, SHA-256 {made.pdf_sha256}"
        )


def _check_period(period_from: date, period_to: date, *, today: date) -> None:
    if period_from > period_to:
        raise CommandError(f"The period ends ({period_to}) before it begins ({period_from}).", returncode=2)
    if period_to > today + timedelta(days=1):  # tomorrow has begun at some site
        raise CommandError(f"The cut-off {period_to} lies in the future.", returncode=1)


def _site(code: str, by: User | None, act: str) -> Site | None:
    site = Site.objects.filter(code=code).first() if code else None
    if code and site is None:
        raise CommandError(f"There is no site {code}.", returncode=2)
    if by is not None:
        scope = by.scope(act)
        if not (scope.covers(site.pk) if site else scope.everywhere):
            raise CommandError(f"{by} may not make this safety report.", returncode=1)
    return site
