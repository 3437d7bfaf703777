"""Makes the rows of visits agree with the plan: set-based, and the same however often and in whatever order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import Exists, F, OuterRef

from followup.schedule.actions.deviations import judge_window
from followup.schedule.actions.plans import LoadedPlan, current_plan
from followup.schedule.actions.status import apply_status, patients_to_settle
from followup.schedule.actions.work_items import close_items_of_closed_queries, raise_missing_items
from followup.schedule.models import Visit, VisitAssessment
from followup.schedule.rules import InfusionId, PlannedVisit, is_out_of_window, planned_visits
from registry.batches import batches
from registry.clock import local_date
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient

PATIENTS_AT_A_TIME = 500
ROWS_AT_A_TIME = 2000
OUT_OF_THE_WAY = 10_000  # sequences are renumbered through here: two may have to swap
DATES = (
    "timepoint_id",
    "anchor",
    "anchor_date",
    "infusion_id",
    "target_date",
    "window_opens",
    "window_closes",
    "neoplasia_check",
)

Key = tuple[str, InfusionId | None]


@dataclass
class Planned:
    """What planning did. `moved`: unfinished visits with new dates; `judged`: visits held whose verdict on
    the window changed.
    """

    created: int = 0
    moved: int = 0
    judged: int = 0

    def __add__(self, other: Planned) -> Planned:
        return Planned(self.created + other.created, self.moved + other.moved, self.judged + other.judged)


@dataclass
class _Changes:
    new: list[Visit] = field(default_factory=list)
    moved: list[Visit] = field(default_factory=list)
    renumbered: list[Visit] = field(default_factory=list)
    judged: list[Visit] = field(default_factory=list)


def plan_visits(patient_ids: Iterable[int], *, now: datetime) -> Planned:
    """Gives each enrolled patient every visit the plan asks for, and moves the unfinished ones to where
    their anchors now lie. Visits held or missed keep their dates; whether they were inside the window is
    judged again.
    """
    plan = current_plan()
    total = Planned()
    ids = sorted(set(patient_ids))
    for batch in batches(ids, PATIENTS_AT_A_TIME):
        total += _plan_batch(plan, batch, now)
        note_infusions(batch)
        apply_status(batch)
    return total


def note_infusions(patient_ids: Iterable[int]) -> None:
    """The infusion itself is done once it is recorded; what else belongs to its day still waits for an answer."""
    rows = VisitAssessment.objects.filter(
        visit__patient__in=list(patient_ids), visit__infusion__isnull=False, visit__state=Visit.State.PLANNED,
        code="infusion", state=VisitAssessment.State.PENDING,
    )  # fmt: skip
    done = list(rows.annotate(given_on=F("visit__infusion__infused_on")).order_by("pk"))
    for row in done:
        row.state, row.on_date = VisitAssessment.State.DONE, row.given_on
    VisitAssessment.objects.bulk_update(done, ["state", "on_date"], batch_size=500)
    # Whoever has such a visit open sees this answer before they save.
    Visit.objects.filter(pk__in=[row.visit_id for row in done]).update(version=F("version") + 1)


def _plan_batch(plan: LoadedPlan, patient_ids: list[int], now: datetime) -> Planned:
    # One planner at a time for a patient; the visits are read after the lock is held.
    locked = Patient.objects.select_for_update().filter(pk__in=patient_ids).order_by("pk")
    sites = dict(locked.values_list("pk", "site_id"))
    zones = dict(Patient.objects.filter(pk__in=patient_ids).values_list("pk", "site__time_zone"))
    enrolled = dict(
        Enrolment.objects.filter(patient__in=patient_ids).values_list("patient_id", "enrolled_on")
    )
    infusions = _infusions(patient_ids)
    existing = _existing(patient_ids)
    changes = _Changes()
    for patient_id, enrolled_on in enrolled.items():
        blank = Visit(
            patient_id=patient_id, site_id=sites[patient_id], created_on=local_date(now, zones[patient_id])
        )
        for wanted in planned_visits(plan.rules, enrolled_on, infusions[patient_id]):
            _compare(plan, blank, existing[patient_id].get(wanted.key), wanted, changes)
    _store(plan, changes, now)
    return Planned(len(changes.new), len(changes.moved), len(changes.judged))


def _infusions(patient_ids: list[int]) -> defaultdict[int, list[tuple[InfusionId, date]]]:
    found: defaultdict[int, list[tuple[InfusionId, date]]] = defaultdict(list)
    rows = Infusion.objects.filter(patient__in=patient_ids).order_by("pk")
    for patient_id, infusion_id, infused_on in rows.values_list("patient_id", "pk", "infused_on"):
        found[patient_id].append((infusion_id, infused_on))
    return found


def _existing(patient_ids: list[int]) -> defaultdict[int, dict[Key, Visit]]:
    found: defaultdict[int, dict[Key, Visit]] = defaultdict(dict)
    for visit in Visit.objects.filter(patient__in=patient_ids).exclude(visit_code="").order_by("pk"):
        infusion = visit.infusion_id if visit.anchor == "each_infusion" else None
        found[visit.patient_id][visit.visit_code, infusion] = visit
    return found


def _compare(
    plan: LoadedPlan, blank: Visit, visit: Visit | None, wanted: PlannedVisit, changes: _Changes
) -> None:
    columns = _columns(plan, wanted)
    if visit is None:
        fresh = Visit(
            patient_id=blank.patient_id,
            site_id=blank.site_id,
            created_on=blank.created_on,
            visit_code=wanted.code,
            sequence=wanted.sequence,
            **columns,
        )
        changes.new.append(fresh)
        return
    if visit.sequence != wanted.sequence:
        visit.sequence = wanted.sequence
        changes.renumbered.append(visit)
    if visit.state == Visit.State.PLANNED and any(getattr(visit, name) != columns[name] for name in DATES):
        for name in DATES:
            setattr(visit, name, columns[name])
        changes.moved.append(visit)
    _judge(visit, wanted, changes)


def _columns(plan: LoadedPlan, wanted: PlannedVisit) -> dict[str, object]:
    timepoint = plan.timepoints[wanted.code]
    return {
        "timepoint_id": timepoint.pk,
        "anchor": wanted.anchor,
        "anchor_date": wanted.anchor_date,
        "infusion_id": wanted.anchor_id,
        "target_date": wanted.target,
        "window_opens": wanted.opens,
        "window_closes": wanted.closes,
        "neoplasia_check": timepoint.neoplasia_check,
    }


def _judge(visit: Visit, wanted: PlannedVisit, changes: _Changes) -> None:
    if visit.actual_date is None:
        return
    verdict = is_out_of_window(wanted.opens, wanted.closes, visit.actual_date)
    if verdict != visit.out_of_window:
        visit.out_of_window = verdict
        changes.judged.append(visit)


def _store(plan: LoadedPlan, changes: _Changes, now: datetime) -> None:
    _renumber(changes.renumbered)
    _bulk_update(changes.moved, [name.removesuffix("_id") for name in DATES])
    _bulk_update(changes.judged, ["out_of_window"])
    created = Visit.objects.bulk_create(changes.new, batch_size=ROWS_AT_A_TIME)
    VisitAssessment.objects.bulk_create(
        _assessments(plan, [*created, *changes.moved]), batch_size=ROWS_AT_A_TIME, ignore_conflicts=True
    )
    judge_window(changes.judged, now=now)


def _renumber(visits: list[Visit]) -> None:
    keys = [visit.pk for visit in visits]
    Visit.objects.filter(pk__in=keys).update(sequence=F("sequence") + OUT_OF_THE_WAY)
    _bulk_update(visits, ["sequence"])


def _bulk_update(visits: list[Visit], names: list[str]) -> None:
    if visits:
        Visit.objects.bulk_update(visits, names, batch_size=PATIENTS_AT_A_TIME)


def _assessments(plan: LoadedPlan, visits: list[Visit]) -> Iterator[VisitAssessment]:
    for visit in visits:
        for code in plan.rules.timepoint(visit.visit_code).assessments:
            yield VisitAssessment(visit_id=visit.pk, code=code)


# Repair ------------------------------------------------------------------------------------------------------


def repair_plans(now: datetime) -> Planned:
    """Finds patients whose visits do not agree with their enrolment, infusions or status, because the news
    of a change was lost, and plans them again. The sweep calls it; with nothing to repair it only reads.
    """
    planned = plan_visits(patients_to_plan(current_plan()), now=now)
    apply_status(patients_to_settle())
    raise_missing_items(now=now)
    close_items_of_closed_queries(now=now)
    return planned


def patients_to_plan(plan: LoadedPlan) -> set[int]:
    anchored = Visit.objects.filter(patient=OuterRef("patient"), anchor="enrolment")
    of_infusion = Visit.objects.filter(infusion=OuterRef("pk"), anchor="each_infusion")
    enrolments = Enrolment.objects.filter(~Exists(anchored))
    infusions = Infusion.objects.filter(~Exists(of_infusion), patient__enrolment__isnull=False)
    waiting = Visit.objects.not_finished()
    by_enrolment = waiting.filter(anchor="enrolment").exclude(
        anchor_date=F("patient__enrolment__enrolled_on")
    )
    by_infusion = waiting.filter(infusion__isnull=False).exclude(anchor_date=F("infusion__infused_on"))
    old_plan = waiting.filter(visit_code__in=list(plan.timepoints)).exclude(timepoint__plan=plan.row)
    return {
        patient_id
        for rows in (enrolments, infusions, by_enrolment, by_infusion, old_plan)
        for patient_id in rows.order_by("pk").values_list("patient_id", flat=True)
    }
