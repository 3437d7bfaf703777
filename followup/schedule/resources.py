"""Visits as they come in from a file: what happened, laid against what was planned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

from followup.schedule.actions.deviations import OUT_OF_WINDOW, visit_query
from followup.schedule.actions.differences import is_retired, was_too_late
from followup.schedule.actions.plans import plan_in_force
from followup.schedule.actions.recording import verdict
from followup.schedule.actions.status import BY_STATUS
from followup.schedule.models import ContactMode, Timepoint, Visit, VisitAssessment
from followup.schedule.rules import VisitOption, choose_visit
from registry.batches import batches
from registry.clock import local_date
from registry.exchange import cells
from registry.exchange.cells import Column
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.partial_dates import in_words
from registry.patients.models import Enrolment, Patient, Query
from registry.patients.queries import QueryFacts, open_queries
from registry.patients.reach import no_such_patient, patients_in_reach

BATCH = 500
RESULTS = ("glycaemia", "islet_function", "safety_bloods", "lipids_renal", "tumour_markers")
NOT_TOLD = "Not in the imported file"
BEFORE_ENROLMENT = "visit_before_enrolment"
NOTHING_PLANNED = "visit_not_in_the_plan"


@dataclass
class Found:
    """Where a row belongs: a stored visit (`known`), a planned one that it fills, or neither: unscheduled."""

    key: str
    known: bool = False
    visit: Visit | None = None
    questions: list[tuple[str, str, str]] = field(default_factory=list)  # kind, rule, reason


class VisitResource(StagedResource):
    kind = "visits"
    title = "Visits"
    act = "import.visits"
    columns: ClassVar[Sequence[Column]] = (
        Column("patient_id", cells.text(40), required=True),
        Column("visit_code", cells.text(12)),
        Column("actual_date", cells.day, required=True),
        Column("contact_mode", cells.one_of(ContactMode.values)),
    )

    def load(self, rows: list[Row]) -> None:
        self.patients = patients_in_reach((row["patient_id"] for row in rows), self.scope)
        # Of every version that was ever followed: a file may tell of what was planned before.
        known = Timepoint.objects.order_by("plan", "position").values_list("code", flat=True)
        self.codes = {code.upper(): code for code in known}
        self.in_force = list(plan_in_force().timepoints.values_list("code", flat=True))
        self.found: dict[int, Found] = {}
        usable = [row for row in rows if self._is_usable(row)]
        ids = sorted({self._patient(row).pk for row in usable})
        self.enrolled = _enrolled(ids)
        self.visits = _visits(ids)
        self._place(usable)

    def judge(self, row: Row) -> None:
        if row.errors:
            return
        found = self.found[row.number]
        row.target = found.visit
        if not found.known:
            row.outcome = CREATE
            for _, _, reason in found.questions:
                row.flag(reason)
            return
        stored = found.visit.contact_mode if found.visit else ""
        changed = row["contact_mode"] is not None and row["contact_mode"] != stored
        row.changes = {"contact_mode": (stored, row["contact_mode"])} if changed else {}
        row.outcome = UPDATE if changed else UNCHANGED

    # Judging

    def _patient(self, row: Row) -> Patient:
        return self.patients[row["patient_id"]]

    def _code(self, row: Row) -> str:
        return self.codes[row["visit_code"].upper()] if row["visit_code"] else ""

    def _is_usable(self, row: Row) -> bool:
        patient = self.patients.get(row["patient_id"])
        if patient is None:
            row.refuse("patient_id", "unknown_patient", no_such_patient(row["patient_id"]))
            return False
        if row["visit_code"] and row["visit_code"].upper() not in self.codes:
            row.refuse(
                "visit_code",
                "unknown_visit_code",
                f"is not a visit of the plan: {', '.join(self.in_force)}",
            )
        if row["actual_date"] > local_date(self.context.now, patient.site.time_zone):
            row.refuse("actual_date", "in_future", "has not come yet at the patient's site")
        return not row.errors

    def _place(self, rows: list[Row]) -> None:
        """By code first, then by date: the order of the lines in the file decides nothing."""
        repeats: Counter[tuple[int, date, str]] = Counter()
        for row in rows:
            same = (self._patient(row).pk, row["actual_date"], self._code(row))
            repeats[same] += 1
            self.found[row.number] = Found(f"{row['actual_date']}|{self._code(row)}|{repeats[same]}")
        self._recognise(rows)
        new = [row for row in rows if not self.found[row.number].known]
        taken: set[int] = set()
        for row in sorted(
            new, key=lambda r: (not self._code(r), self._patient(r).pk, r["actual_date"], r.number)
        ):
            self._match(row, taken)

    def _recognise(self, rows: list[Row]) -> None:
        """The visit a row brought in before; else the same contact, by day and code, whoever recorded it.
        A file without codes comes back from the export with them: rows with a code choose first.
        """
        by_key = {(v.patient_id, v.import_key): [v] for v in self._all_visits() if v.import_key}
        held = self._held()
        claimed: set[int] = set()
        for group in ([r for r in rows if self._code(r)], [r for r in rows if not self._code(r)]):
            for row in group:
                self._claim(row, by_key.get((self._patient(row).pk, self.found[row.number].key), []), claimed)
            for row in group:
                same = held[self._patient(row).pk, row["actual_date"], self._code(row)]
                self._claim(row, same, claimed)

    def _claim(self, row: Row, visits: list[Visit], claimed: set[int]) -> None:
        found = self.found[row.number]
        free = [visit for visit in visits if visit.pk not in claimed]
        if free and not found.known:
            found.visit, found.known = free[0], True
            claimed.add(free[0].pk)

    def _all_visits(self) -> Iterator[Visit]:
        for visits in self.visits.values():
            yield from visits

    def _held(self) -> defaultdict[tuple[int, date, str], list[Visit]]:
        found: defaultdict[tuple[int, date, str], list[Visit]] = defaultdict(list)
        for visit in self._all_visits():
            if visit.actual_date:
                found[visit.patient_id, visit.actual_date, visit.visit_code].append(visit)
        return found

    def _match(self, row: Row, taken: set[int]) -> None:
        found, on, code = self.found[row.number], row["actual_date"], self._code(row)
        options = [v for v in self.visits[self._patient(row).pk] if v.pk not in taken and _is_open(v)]
        chosen = _nearest(options, code, on) if code else _fitting(options, on)
        if chosen is not None:
            taken.add(chosen.pk)
            found.visit = chosen
        found.questions = list(self._questions(row, chosen))

    def _questions(self, row: Row, chosen: Visit | None) -> Iterator[tuple[str, str, str]]:
        on, code = row["actual_date"], self._code(row)
        enrolled_on = self.enrolled.get(self._patient(row).pk)
        if enrolled_on is not None and on < enrolled_on:
            reason = f"The visit on {in_words(on)} lies before the enrolment on {in_words(enrolled_on)}"
            yield Query.Kind.DEVIATION, BEFORE_ENROLMENT, reason
        if code and chosen is None:
            reason = (
                f"The file calls the visit on {in_words(on)} {code}, but no {code} is waiting: unscheduled"
            )
            yield Query.Kind.CONTRADICTION, NOTHING_PLANNED, reason
        if chosen is not None and verdict(chosen, on):
            reason = f"Visit {chosen.visit_code} was held on {in_words(on)}, outside its window"
            yield Query.Kind.DEVIATION, OUT_OF_WINDOW, reason

    # Writing

    def write(self, rows: list[Row]) -> None:
        """A visit from a file is done; of its parts only the file's word is taken, nothing is made up."""
        filled: list[Visit] = []
        unscheduled: list[Visit] = []
        corrected: list[Visit] = []
        written: list[tuple[Visit, Found]] = []
        for row in rows:
            found = self.found[row.number]
            visit = found.visit or self._unscheduled(row)
            visit.contact_mode = row["contact_mode"] or ""
            visit.version += 1
            written.append((visit, found))
            if found.known:
                corrected.append(visit)
                continue
            (unscheduled if found.visit is None else filled).append(visit)
            self._fill(visit, row, found.key)
        Visit.objects.bulk_create(unscheduled, batch_size=BATCH)
        if filled:
            Visit.objects.bulk_update(filled, FILLED, batch_size=BATCH)
        if corrected:
            Visit.objects.bulk_update(corrected, ["contact_mode", "version"], batch_size=BATCH)
        _answer_assessments(filled)
        open_queries(_queries(written), now=self.context.now)

    def _unscheduled(self, row: Row) -> Visit:
        patient = self._patient(row)
        today = local_date(self.context.now, patient.site.time_zone)
        return Visit(patient=patient, site=patient.site, created_on=today, version=0)

    def _fill(self, visit: Visit, row: Row, key: str) -> None:
        visit.state, visit.state_reason = Visit.State.DONE, ""
        visit.actual_date, visit.import_key = row["actual_date"], key
        visit.out_of_window = verdict(visit, row["actual_date"])


FILLED = ["state", "state_reason", "actual_date", "contact_mode", "out_of_window", "import_key", "version"]


def _enrolled(patient_ids: list[int]) -> dict[int, date]:
    found: dict[int, date] = {}
    for some in batches(patient_ids):
        found |= dict(Enrolment.objects.filter(patient__in=some).values_list("patient_id", "enrolled_on"))
    return found


def _visits(patient_ids: list[int]) -> defaultdict[int, list[Visit]]:
    found: defaultdict[int, list[Visit]] = defaultdict(list)
    for some in batches(patient_ids):
        rows = Visit.objects.filter(patient__in=some).select_related("timepoint")
        for visit in rows.order_by("patient", "target_date", "pk"):
            found[visit.patient_id].append(visit)
    return found


def _is_open(visit: Visit) -> bool:
    """Waiting to be held. What a status or a newer plan closed may still have happened; what a person closed stays."""
    closed_by_status = visit.state == Visit.State.NOT_REQUIRED and visit.state_reason.startswith(BY_STATUS)
    waiting = (
        visit.state == Visit.State.PLANNED or closed_by_status or is_retired(visit) or was_too_late(visit)
    )
    return bool(visit.visit_code) and waiting and visit.actual_date is None


def _fitting(visits: list[Visit], on: date) -> Visit | None:
    chosen = choose_visit(_options([visit for visit in visits if not is_retired(visit)]), on)
    return chosen.ref if chosen and isinstance(chosen.ref, Visit) else None


def _options(visits: list[Visit]) -> Iterator[VisitOption]:
    for visit in visits:
        if visit.target_date and visit.window_opens and visit.window_closes and visit.timepoint:
            yield VisitOption(
                ref=visit,
                code=visit.visit_code,
                target=visit.target_date,
                opens=visit.window_opens,
                closes=visit.window_closes,
                is_infusion_day="infusion" in visit.timepoint.assessments.split(";"),
            )


def _nearest(visits: list[Visit], code: str, on: date) -> Visit | None:
    """Of several visits with this code (one after each infusion) the one whose window fits, else the nearest."""
    same = [(visit, visit.target_date) for visit in visits if visit.visit_code == code]
    near = [(bool(verdict(v, on)), abs((day - on).days), v.sequence, v) for v, day in same if day]
    return min(near, key=lambda one: one[:3])[3] if near else None


def _answer_assessments(visits: list[Visit]) -> None:
    """Results are awaited; the infusion has a record of its own; all else the file did not tell."""
    pending = VisitAssessment.State.PENDING
    for some in batches([visit.pk for visit in visits]):
        rows = VisitAssessment.objects.filter(visit__in=some, state=pending)
        rows.filter(code__in=RESULTS).update(state=VisitAssessment.State.AWAITING)
        given = list(
            rows.filter(code="infusion", visit__infusion__isnull=False).select_related("visit__infusion")
        )
        for row in given:
            row.state = VisitAssessment.State.DONE
            row.on_date = row.visit.infusion.infused_on if row.visit.infusion else None
        VisitAssessment.objects.bulk_update(given, ["state", "on_date"], batch_size=BATCH)
        rows.update(state=VisitAssessment.State.NOT_DONE, reason=NOT_TOLD)


def _queries(written: Iterable[tuple[Visit, Found]]) -> list[QueryFacts]:
    return [
        visit_query(visit, kind=kind, rule=rule, reason=reason)
        for visit, found in written
        for kind, rule, reason in found.questions
    ]
