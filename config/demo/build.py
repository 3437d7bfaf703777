"""Builds the demo through the product's own importers and actions, each step at the moment it would have happened."""

import secrets
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256

from allauth.mfa.totp.internal.auth import TOTP

from config.demo import cast, rows
from config.demo.moves import move_people
from config.demo.neoplasia import assess, record_checks
from config.demo.results import lab_rows
from config.demo.signing import sign_some
from config.demo.stories import YEARS, Cells, LotOnShelf, Story, has_fever, make_story
from followup.safety.models import AdverseEvent
from followup.schedule.actions import Answer, mark_missed, record_visit
from followup.schedule.models import Visit, VisitAssessment
from registry import clock
from registry.access.models import Registry, RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.clock import local_moment
from registry.exchange.reading import TableFile
from registry.exchange.resources import CREATE, Context, resource_for
from registry.infusions.actions import record_infusion
from registry.infusions.judging import DoseGiven
from registry.patients.models import Patient, Query
from registry.patients.queries import close_query
from registry.patients.status import StatusFacts, record_status
from registry.products.models import Lot

Done = VisitAssessment.State.DONE


class CannotBuild(Exception):
    """Why this instance cannot become a demo."""


@dataclass(frozen=True)
class Account:
    username: str
    role: str
    site: str
    password: str
    totp_seed: str


MASKED = "hba1c,fasting_c_peptide"


def build(
    *, sites: int, patients: int, seed: int, today: date, password: str, blinded: bool = False
) -> list[Account]:
    """Needs an empty registry. Marks it as a demo for ever; the same seed and day give the same registry."""
    if Patient.objects.exists() or User.objects.exists():
        raise CannotBuild("This registry holds people already. Use an empty DATA_DIR for the demo.")
    chosen = cast.SITES[:sites]
    started = _noon(today - timedelta(days=366 * (YEARS + 1)))
    with _at(started) as now:
        Registry.objects.create(
            kind="demo",
            name="MSC Follow-up Registry · demo",
            blinded=blinded,
            masked_analytes=MASKED if blinded else "",
        )
        bring_in("sites", rows.site_rows(chosen), now)
        accounts = _staff(password or secrets.token_urlsafe(9), started, seed)
    lots = rows.lot_rows(YEARS, today, seed)
    with _at(_noon(today)) as now:
        bring_in("lots", lots, now)
    shelf = [
        LotOnShelf(lot["lot"], date.fromisoformat(lot["released_on"]), date.fromisoformat(lot["expires_on"]))
        for lot in lots
        if lot["released_on"]
    ]
    for number in range(patients):
        site = chosen[number % len(chosen)][0]
        _tell(make_story(number, site=site, lots=shelf, today=today, seed=seed), today, seed)
    _close_old_queries(today)
    move_people(noon=_noon, at=_at, today=today)
    with _at(_noon(today) - timedelta(hours=20)) as now:
        sign_some(now=now)
    return accounts


def _close_old_queries(today: date) -> None:
    """Questions are answered within weeks; those of the last two months are still open."""
    moment = _noon(today) - timedelta(days=1)
    with _at(moment) as now:
        coordinator = User.objects.get(username="coordinator")
        for query in Query.objects.filter(status="open", opened_at__lt=moment - timedelta(days=60)).order_by(
            "pk"
        ):
            close_query(
                query=query, because="Seen with the source; the record is right.", by=coordinator, now=now
            )


def bring_in(kind: str, lines: rows.Rows, now: datetime) -> None:
    """Through the importer of that kind, all rows or none."""
    if not lines:
        return
    headings = list(lines[0])
    table = TableFile("demo", "", headings, [[line[heading] for heading in headings] for line in lines])
    resource = resource_for(kind)(Context(now=now, reason="demo"))
    judged = resource.examine(table)
    for row in judged:
        for error in row.errors:
            raise CannotBuild(
                f"demo {kind} row {row.number}, {error.column} = {row.cells.get(error.column)}: {error}"
            )
    resource.write([row for row in judged if row.outcome == CREATE])


def _tell(story: Story, today: date, seed: int) -> None:
    """One person's years, in the order in which they happened."""
    with _at(_noon(story.enrolled)) as now:
        bring_in("patients", [rows.patient_row(story)], now)
        patient = Patient.objects.filter(site__code=story.site).order_by("-pk")[0]
    for cells in story.cells:
        with _at(_noon(cells.day)) as now:
            _infuse(story, patient, cells, now, seed)
    results: rows.Rows = []
    for visit, day in _held(story, patient, today, seed):
        with _at(_noon(day, hour=15)) as now:
            results += _hold(story, visit, day, seed, now)
    with _at(_noon(today) - timedelta(days=1)) as now:
        bring_in("treatments", rows.treatment_rows(story, patient.patient_id, today), now)
        # Visits that fall on one day share one sample.
        bring_in("labs", list({(line["accession"], line["analyte"]): line for line in results}.values()), now)
        bring_in("adverse_events", rows.event_rows(story, patient.patient_id, now.date(), seed), now)
    if ending := rows.status_row(story, patient.patient_id):
        with _at(_noon(date.fromisoformat(ending["on_date"]))) as now:
            bring_in("status", [ending], now)
            if story.kind == "deceased":
                _confirm_death(story, patient, now)
    record_checks(story, patient, today, at=_at)
    _assess_old_events(story, patient, today)
    _give_up_old_visits(story, patient, today)


def _infuse(story: Story, patient: Patient, cells: Cells, now: datetime, seed: int) -> None:
    fever = has_fever(story, story.cells.index(cells), seed)
    started = local_moment(cells.day, time(10, 30), patient.site.time_zone)
    lot = Lot.objects.select_related("donor__patient").get(code=cells.lot)
    record_infusion(
        patient=patient, doses=[DoseGiven(lot, cells.cells_total, Decimal(str(cells.viability_percent)))],
        infused_on=cells.day, infused_at=started, ended_at=started + timedelta(minutes=50), route=cells.route,
        weight_kg=Decimal(str(cells.weight_kg)), premedication="Paracetamol 1 g, cetirizine 10 mg",
        reaction="fever" if fever else "none", reaction_note="38.4 °C four hours after, gone the next day" if fever else "",
        by=_person("nurse", story), now=now,
    )  # fmt: skip


def _confirm_death(story: Story, patient: Patient, now: datetime) -> None:
    facts = StatusFacts(
        status="deceased", on_date=f"{story.ends_on}", reason="Certificate seen", death_confirmed=True,
        cause_of_death="Myocardial infarction", autopsy="not_done",
    )  # fmt: skip
    record_status(patient=patient, facts=facts, by=_person("doctor", story), now=now)


def _assess_old_events(story: Story, patient: Patient, today: date) -> None:
    """Serious events are judged within days; only one of the last weeks still waits."""
    month_ago = (today - timedelta(days=30)).isoformat()
    events = AdverseEvent.objects.filter(
        patient=patient, is_serious=True, onset_date__lt=month_ago, assessments=None
    )
    for event in events.order_by("pk"):
        with _at(_noon(date.fromisoformat(event.onset_date) + timedelta(days=3))) as now:
            assess(event, _person("doctor", story), now)


def _held(story: Story, patient: Patient, today: date, seed: int) -> Iterator[tuple[Visit, date]]:
    """The visits that took place, with their days: near the target, sometimes outside the window."""
    random = story.random_for("visits", seed)
    last = min(story.ends_on or today, today - timedelta(days=1))
    for visit in (
        Visit.objects.filter(patient=patient).select_related("timepoint").order_by("target_date", "pk")
    ):
        if visit.target_date is None or visit.window_opens is None or visit.window_closes is None:
            continue
        reach = max(1, (visit.window_closes - visit.window_opens).days // 2)
        drift = round(random.gauss(0, reach / 4))
        earliest = story.enrolled if visit.anchor == "enrolment" else (visit.anchor_date or story.enrolled)
        day = max(visit.target_date + timedelta(days=drift), earliest)
        came = random.random() < story.attends or visit.visit_code in ("SCR", "BL", "INF")
        if visit.visit_code in ("SCR", "BL", "INF"):
            day = max(visit.window_opens, min(visit.target_date, last))
        if came and day <= last:
            yield visit, day


def _hold(story: Story, visit: Visit, day: date, seed: int, now: datetime) -> rows.Rows:
    codes = set(VisitAssessment.objects.filter(visit=visit).values_list("code", flat=True))
    mode = visit.timepoint.contact_mode if visit.timepoint else "on_site"
    remote = mode != "on_site"
    answers = {code: Answer(Done, day) for code in codes - {"neoplasia_check"}}
    if remote:
        answers = {
            code: answer for code, answer in answers.items() if code not in ("physical_exam", "imaging")
        }
    record_visit(
        visit=visit, actual_date=day, contact_mode=mode, assessments=answers, note="", by=_person("nurse", story),
        now=now, version=visit.version,
    )  # fmt: skip
    return lab_rows(story, visit.patient.patient_id, f"{visit.visit_code}{visit.sequence}", day, codes, seed)


def _give_up_old_visits(story: Story, patient: Patient, today: date) -> None:
    """A visit nobody held is marked missed after four months by a person; the younger ones stay late."""
    limit = today - timedelta(days=120)
    late = Visit.objects.filter(patient=patient, state="planned", actual_date=None, window_closes__lt=limit)
    for visit in late.order_by("pk"):
        with _at(_noon(visit.window_closes or limit) + timedelta(days=60)) as now:
            mark_missed(visit=visit, reason="Not reached in time; the next visit was kept", by=_person("nurse", story),
                        now=now, version=visit.version)  # fmt: skip


def _staff(password: str, now: datetime, seed: int) -> list[Account]:
    accounts = []
    blinded = Registry.current().blinded
    for name, role, full_name, at_site in cast.STAFF:
        if name == "pharmacy" and not blinded:
            continue
        for site in Site.objects.order_by("pk") if at_site else [None]:
            username = f"{name}-{site.code.lower()}" if site else name
            user = User(username=username, full_name=f"{full_name}{f' ({site})' if site else ''}", date_joined=now,
                        email=f"{username}@example.org")  # fmt: skip
            user.set_password(password)
            user.save()
            RoleGrant.objects.create(user=user, role=role, site=site, starts_on=now.date(), reason="demo")
            key = totp_seed(seed, username)
            TOTP.activate(user, key)
            accounts.append(Account(username, role, site.code if site else "all", password, key))
    return accounts


def totp_seed(seed: int, username: str) -> str:
    """The key of an invented person's second factor: no secret, and the same each time the demo is built."""
    return b32encode(sha256(f"demo {seed} {username}".encode()).digest()[:20]).decode()


def _person(role: str, story: Story) -> User:
    return User.objects.get(username=f"{role}-{story.site.lower()}")


def _noon(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


@contextmanager
def _at(moment: datetime) -> Iterator[datetime]:
    """The registry's clock stands at this moment, and the demo acts."""
    with clock.set_to(moment), acting_as("system:command", reason="demo", channel="demo"):
        yield moment
