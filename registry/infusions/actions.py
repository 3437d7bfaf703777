"""Verbs of the infusion room. Ordering may be refused; what happened is recorded with its deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from registry.access.models import User
from registry.audit.acting import because
from registry.batches import batches
from registry.clock import local_date
from registry.infusions import rules
from registry.infusions.effects import Effects, effects_of
from registry.infusions.judging import (
    DoseGiven,
    deviation_queries,
    deviations_before_saving,
    order_refusals,
)
from registry.infusions.models import Infusion, InfusionDose, InfusionHold, InfusionOrder
from registry.infusions.rules import Deviation, Refusal
from registry.infusions.signals import infusions_recorded
from registry.patients.models import Patient, Query, Status
from registry.patients.queries import close_queries, open_queries, record_of
from registry.patients.status import StatusFacts, record_statuses
from registry.products.actions import ReasonNeeded
from registry.products.models import Lot
from registry.saving import claim_version, create_once, made_by, nobody_else_has


class CannotOrder(Exception):
    """Everything that stands against an order, at once."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = list(refusals)


class CannotCancel(Exception):
    """The order was cancelled already, or its infusion has been given."""


class NotPlausible(Exception):
    """Typing errors, as (field, what to do)."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for _, message in errors))
        self.errors = list(errors)


class AlreadyRecorded(Exception):
    """The person has an infusion of this moment; `infusion` is that one."""

    def __init__(self, infusion: Infusion) -> None:
        super().__init__("An infusion of this patient at this time is already recorded.")
        self.infusion = infusion


class NeedsApproval(Exception):
    """The other day touches what is signed or locked; a coordinator approves it first."""

    def __init__(self, effects: Effects) -> None:
        super().__init__("; ".join(effects.touched))
        self.effects = effects


# Ordering ----------------------------------------------------------------------------------------------------


def order_infusion(
    *,
    patient: Patient,
    lot: Lot,
    planned_on: date,
    route: str,
    weight_kg: Decimal,
    cells_ordered: int,
    form_token: str,
    by: User,
    now: datetime,
) -> InfusionOrder:
    """`cells_ordered` are viable cells. Raises CannotOrder; the same form sent twice gives the first order."""
    by.require("infusions.order", patient.site_id)
    if first := made_by(InfusionOrder, form_token, patient=patient):
        return first
    refusals = order_refusals(
        patient=patient, lot=lot, planned_on=planned_on, weight_kg=weight_kg, cells_ordered=cells_ordered
    )
    if refusals:
        raise CannotOrder(refusals)
    order = InfusionOrder(
        patient=patient, site=patient.site, lot=lot, planned_on=planned_on, route=route, weight_kg=weight_kg,
        cells_ordered=cells_ordered, ordered_by=by, ordered_at=now, form_token=form_token,
    )  # fmt: skip

    def make() -> InfusionOrder:
        order.full_clean(exclude={"cancelled_at"})
        order.save()
        return order

    return create_once(InfusionOrder, form_token, make, patient=patient)


def cancel_order(*, order: InfusionOrder, reason: str, by: User, now: datetime) -> None:
    by.require("infusions.order", order.site_id)
    with because(reason):
        standing = InfusionOrder.objects.filter(pk=order.pk, cancelled_at=None, infusion=None)
        if not standing.update(cancelled_at=now):
            raise CannotCancel("This order was cancelled already, or its infusion has been recorded.")


# Recording ---------------------------------------------------------------------------------------------------


def make_dose(infusion: Infusion, dose: DoseGiven, row: InfusionDose | None = None) -> InfusionDose:
    """Source, relation and cell type are those of the lot; viable cells and cells/kg are computed here."""
    row = row or InfusionDose(infusion=infusion)
    row.lot = dose.lot
    row.tissue_source, row.donor_relation = dose.lot.tissue_source, dose.lot.donor_relation
    row.cell_type = dose.lot.cell_type
    row.cells_total, row.viability_percent = dose.cells_total, dose.viability_percent
    row.viable_cells = dose.viable_cells
    row.viable_cells_per_kg = rules.cells_per_kg(row.viable_cells, infusion.weight_kg)
    row.formula_version = rules.DOSE_FORMULA_VERSION
    return row


def check_plausible(
    *,
    patient: Patient,
    infused_on: date,
    weight_kg: Decimal,
    doses: Sequence[DoseGiven],
    now: datetime,
    infused_at: datetime | None = None,
) -> None:
    errors = rules.typing_errors(
        on=infused_on,
        today=local_date(now, patient.site.time_zone),
        birth_year=patient.birth_year,
        weight_kg=weight_kg,
        doses=[(dose.cells_total, dose.viability_percent) for dose in doses],
    )
    if infused_at and infused_at > now and not errors:
        errors = [("infused_at", "This time is in the future.")]
    if errors:
        raise NotPlausible(errors)


def same_moment(patient: Patient, infused_on: date, infused_at: datetime | None) -> Infusion | None:
    rows = Infusion.objects.filter(patient=patient, infused_at=infused_at)
    return (rows if infused_at else rows.filter(infused_on=infused_on)).first()


def record_infusion(
    *,
    patient: Patient,
    doses: Sequence[DoseGiven],
    infused_on: date,
    route: str,
    weight_kg: Decimal,
    by: User | None,
    now: datetime,
    infused_at: datetime | None = None,
    order: InfusionOrder | None = None,
    form_token: str = "",
    **details: Any,
) -> Infusion:
    """Never refused for breaking a rule. Raises NotPlausible for typing errors, AlreadyRecorded for a repeat.

    `details`: ended_at, origin, hyperbaric_sessions, gcsf_mobilisation, co_treatment, premedication,
    reaction, reaction_note. The same form sent twice gives the first infusion.
    """
    if by:
        by.require("infusions.record", patient.site_id)
    if first := made_by(Infusion, form_token, patient=patient):
        return first
    check_plausible(
        patient=patient,
        infused_on=infused_on,
        infused_at=infused_at,
        weight_kg=weight_kg,
        doses=doses,
        now=now,
    )
    if standing := same_moment(patient, infused_on, infused_at):
        raise AlreadyRecorded(standing)
    infusion = Infusion(
        patient=patient, site=patient.site, order=order, infused_on=infused_on, infused_at=infused_at,
        route=route, weight_kg=weight_kg, form_token=form_token, **details,
    )  # fmt: skip
    return create_once(Infusion, form_token, lambda: _save_new(infusion, doses, now=now), patient=patient)


def _save_new(infusion: Infusion, doses: Sequence[DoseGiven], *, now: datetime) -> Infusion:
    deviations = _deviations(infusion, doses)
    infusion.full_clean()
    infusion.save()
    InfusionDose.objects.bulk_create(make_dose(infusion, dose) for dose in doses)
    open_queries(deviation_queries(infusion, deviations), now=now)
    announce({infusion.patient_id: infusion.infused_on}, now=now)
    return infusion


def _deviations(infusion: Infusion, doses: Sequence[DoseGiven]) -> list[Deviation]:
    return deviations_before_saving(
        patient=infusion.patient, on=infusion.infused_on, weight_kg=infusion.weight_kg, doses=doses,
        order=infusion.order, correcting=infusion if infusion.pk else None,
    )  # fmt: skip


def announce(first_days: Mapping[int, date], *, now: datetime) -> None:
    """Moves people into follow-up and tells the rooms above. `first_days`: patient key → day of infusion."""
    begin_follow_up(first_days, now=now)
    infusions_recorded.send(sender=Infusion, patients=sorted(first_days), now=now)


def begin_follow_up(first_days: Mapping[int, date], *, now: datetime) -> None:
    """Set-based. Who has left, died or completed keeps that status: cells do not bring anybody back. The
    step is not dated before enrolment, or the history would end with it.
    """
    ids = sorted(first_days)
    entries = []
    for some in batches(ids):
        waiting = Patient.objects.filter(pk__in=some, status__in=(Status.SCREENING, Status.ENROLLED))
        for patient in waiting.select_related("site", "enrolment"):
            enrolment = getattr(patient, "enrolment", None)
            on = max(first_days[patient.pk], enrolment.enrolled_on if enrolment else date.min)
            facts = StatusFacts(Status.IN_FOLLOW_UP, on.isoformat(), reason="First infusion")
            entries.append((patient, facts))
    if entries:
        record_statuses(entries=entries, now=now)


# Correcting --------------------------------------------------------------------------------------------------


def correct_infusion(
    *,
    infusion: Infusion,
    version: int,
    reason: str,
    doses: Sequence[DoseGiven],
    by: User | None,
    now: datetime,
    **changes: Any,
) -> Infusion:
    """`changes` are columns of the infusion, `doses` all its doses (none may be left out: a dose that was
    given to somebody else is moved with its infusion). Deviations that no longer hold are closed. Raises NeedsApproval
    for another day that touches what is signed or locked.
    """
    if by:
        by.require("infusions.correct", infusion.site_id)
        effects = effects_of_another_day(
            infusion=infusion, version=version, reason=reason, doses=doses, by=by, now=now, changes=changes
        )
        if effects and effects.touched:
            raise NeedsApproval(effects)
    return put_in_force(
        infusion=infusion, version=version, reason=reason, doses=doses, by=by, now=now, changes=changes
    )


def effects_of_another_day(
    *, infusion: Infusion, version: int, reason: str, doses: Sequence[DoseGiven], by: User, now: datetime,
    changes: Mapping[str, Any],
) -> Effects | None:  # fmt: skip
    """None where the day stays. Raises whatever putting it in force would raise."""
    if changes.get("infused_on", infusion.infused_on) == infusion.infused_on:
        return None
    by.require("infusions.correct_date", infusion.site_id)

    def trial() -> None:
        copy = Infusion.objects.select_related("patient__site", "site").get(pk=infusion.pk)
        put_in_force(
            infusion=copy, version=version, reason=reason, doses=doses, by=by, now=now, changes=changes
        )

    return effects_of(trial, patient=infusion.patient)


def put_in_force(
    *, infusion: Infusion, version: int, reason: str, doses: Sequence[DoseGiven], by: User | None, now: datetime,
    changes: Mapping[str, Any],
) -> Infusion:  # fmt: skip
    """Whether it may be is the caller's to ask."""
    if not reason.strip():
        raise ReasonNeeded
    for column, value in changes.items():
        setattr(infusion, column, value)
    patient, weight_kg = infusion.patient, infusion.weight_kg
    check_plausible(
        patient=patient, infused_on=infusion.infused_on, infused_at=infusion.infused_at,
        weight_kg=weight_kg, doses=doses, now=now,
    )  # fmt: skip
    other = same_moment(patient, infusion.infused_on, infusion.infused_at)
    if other and other.pk != infusion.pk:
        raise AlreadyRecorded(other)
    deviations = _deviations(infusion, doses)
    with because(reason), nobody_else_has():
        claim_version(infusion, version)
        infusion.full_clean()
        infusion.save()
        _save_doses(infusion, doses)
    settle_deviations(infusion, deviations, reason=reason, by=by, now=now)
    close_queries(rule=rules.ANOTHER_DAY, records=[record_of(infusion)], now=now, because=reason, by=by)
    infusions_recorded.send(sender=Infusion, patients=[infusion.patient_id], now=now)
    return infusion


def _save_doses(infusion: Infusion, doses: Sequence[DoseGiven]) -> None:
    """A dose keeps its row: by its lot, or, where the lot itself was wrong, the next row without a match."""
    rows = {row.lot_id: row for row in infusion.doses.order_by("pk")}
    matched = {dose.lot.pk: rows.pop(dose.lot.pk) for dose in doses if dose.lot.pk in rows}
    spare = list(rows.values())
    for dose in doses:
        row = matched.get(dose.lot.pk) or (spare.pop(0) if spare else None)
        make_dose(infusion, dose, row).save()


def settle_deviations(
    infusion: Infusion, deviations: Sequence[Deviation], *, reason: str, by: User | None, now: datetime
) -> None:
    """After a correction: opens what is new and closes what no longer holds."""
    record = record_of(infusion)
    still = {deviation.kind for deviation in deviations}
    standing = Query.objects.filter(record=record, kind=Query.Kind.DEVIATION, field="")
    open_rules = standing.exclude(status=Query.State.CLOSED).values_list("rule", flat=True).order_by("rule")
    for rule in [rule for rule in open_rules if rule not in still]:
        close_queries(rule=rule, records=[record], now=now, because=reason, by=by)
    open_queries(deviation_queries(infusion, deviations), now=now)


# Holds -------------------------------------------------------------------------------------------------------


def open_hold(*, patient: Patient, source: str, reason: str, now: datetime) -> InfusionHold:
    """Another room asks that no more cells are ordered; one open hold a source, so asking again is harmless."""
    standing = InfusionHold.objects.filter(patient=patient, source=source, released_at=None).first()
    if standing:
        return standing
    return InfusionHold.objects.create(patient=patient, source=source, reason=reason[:300], opened_at=now)


def release_hold(*, patient: Patient, source: str, reason: str, by: User, now: datetime) -> int:
    """How many open holds of this source ended: none when there was none."""
    held = InfusionHold.objects.filter(patient=patient, source=source, released_at=None)
    return held.update(released_at=now, released_by=by, release_reason=reason[:300])
