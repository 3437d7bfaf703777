"""Verbs of the cell room: donors, lots, their tests and states. Each needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from typing import TypeVar

from django.db import models
from django.db.models import Sum

from registry.access.models import SiteScope, User
from registry.audit.acting import because
from registry.batches import batches
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, open_queries
from registry.patients.reach import no_such_patient, patients_in_reach
from registry.patients.rules import patient_id_is_wellformed
from registry.products.models import Donor, Lot, ReleaseTest
from registry.products.rules import ReleaseVerdict, lot_may_be_released, lot_may_become
from registry.saving import NotAccepted, claim_version, create_once, nobody_else_has

M = TypeVar("M", bound=models.Model)
USED_STATES = (Lot.State.CONDITIONAL, Lot.State.RELEASED)
DONOR_CODES = "For autologous cells write the number of your own patient; for another donor a code that is no patient number."
ENDED_STATES = (Lot.State.REJECTED, Lot.State.RECALLED)


class ReasonNeeded(Exception):
    """A stored fact is to be changed and nobody said why."""


class CannotChangeState(Exception):
    """The transition table, the tests or a missing reason stand against it; the message says which."""


def with_reason(reason: str) -> AbstractContextManager[None]:
    return because(reason) if reason else nullcontext()


# Donors and lots ---------------------------------------------------------------------------------------------


def save_donor(*, donor: Donor, by: User, version: int = 0, reason: str = "", form_token: str = "") -> Donor:
    """A donor code that is a patient's id is that patient: autologous cells. NotAccepted for anybody else's patient."""
    by.require("cells.record")
    if donor.pk and not reason:
        raise ReasonNeeded
    scope = by.scope("cells.record")
    donor.patient = patients_in_reach([donor.code], scope).get(donor.code)
    if codes_of_others([donor.code], scope):
        raise NotAccepted("code", f"There is {no_such_patient(donor.code)}. {DONOR_CODES}")
    donor.full_clean()
    if not donor.pk:
        donor.form_token = form_token
        return create_once(Donor, form_token, lambda: _stored(donor))
    with with_reason(reason), nobody_else_has():
        claim_version(donor, version)
        donor.save()
    return donor


def _stored(row: M) -> M:
    row.save(force_insert=True)
    return row


def codes_of_others(codes: Iterable[str], scope: SiteScope) -> set[str]:
    """Codes that look like a patient's id, or are one: outside the reach of this scope they are nobody's to write.
    The two get one answer, so that it tells of nobody. Who reaches all sites may name a patient yet to come in.
    """
    if scope.everywhere:
        return set()
    wanted = sorted(set(codes))
    others = {code for code in wanted if patient_id_is_wellformed(code)}
    for some in batches(wanted):
        others.update(Patient.objects.filter(patient_id__in=some).values_list("patient_id", flat=True))
    return others - patients_in_reach(wanted, scope).keys()


def save_lot(
    *, lot: Lot, by: User, version: int | None = None, reason: str = "", form_token: str = ""
) -> Lot:
    """`version` is the one the form was opened with; a new lot has none and starts in quarantine."""
    by.require("cells.record")
    lot.full_clean()
    if not lot.pk:
        lot.form_token = form_token
        return create_once(Lot, form_token, lambda: _stored(lot))
    if not reason:
        raise ReasonNeeded
    with with_reason(reason), nobody_else_has():
        claim_version(lot, lot.version if version is None else version)
        lot.save()
    return lot


# Release tests -----------------------------------------------------------------------------------------------


def results_of(lot_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Results of every lot by test, viability at release among them, in two queries."""
    wanted = list(lot_ids)
    found: dict[int, dict[str, str]] = {pk: {} for pk in wanted}
    for pk, viability in Lot.objects.filter(pk__in=wanted).values_list("pk", "viability_percent"):
        if viability is not None:
            found[pk]["viability_percent"] = str(viability)
    for test in ReleaseTest.objects.filter(lot__in=wanted):
        found[test.lot_id][test.kind] = test.result
    return found


def release_verdict(lot: Lot) -> ReleaseVerdict:
    return lot_may_be_released(results_of([lot.pk])[lot.pk], lot.cell_type)


def record_release_tests(
    *,
    lot: Lot,
    results: Mapping[str, str],
    by: User,
    now: datetime,
    tested_on: date | None = None,
    reason: str = "",
    version: int | None = None,
) -> ReleaseVerdict:
    """Stores what was received; a blank result leaves what stands. A failure of a lot in use asks every
    treating site the same day. `version` is that of the lot the form was opened with.
    """
    by.require("cells.record")
    stored = {test.kind: test for test in ReleaseTest.objects.filter(lot=lot)}
    given = {kind: result.strip() for kind, result in results.items() if result.strip()}
    changed = {kind: one for kind, one in given.items() if kind not in stored or stored[kind].result != one}
    if not reason and any(
        kind in stored and stored[kind].result.lower() not in {"pending", "not_done"} for kind in changed
    ):
        raise ReasonNeeded
    with with_reason(reason):
        claim_version(lot, lot.version if version is None else version)
        for kind, result in changed.items():
            test = stored.get(kind) or ReleaseTest(lot=lot, kind=kind)
            test.result, test.tested_on = result, tested_on or test.tested_on
            test.full_clean()
            test.save()
    verdict = release_verdict(lot)
    if verdict.failed and lot.state in USED_STATES:
        failed = test_names(verdict.failed)
        ask_about_recipients(
            lot, rule="lot_failed_after_release", why=f"Lot {lot} failed after release: {failed}", now=now
        )
    return verdict


def test_names(kinds: Iterable[str]) -> str:
    words = ReleaseTest.KINDS | {"identity": "Identity (ISCT markers)", "viability_percent": "Viability (%)"}
    return ", ".join(words[kind] for kind in kinds)


# States ------------------------------------------------------------------------------------------------------


def change_lot_state(
    *, lot: Lot, state: str, reason: str, on: date, by: User, now: datetime, version: int | None = None
) -> Lot:
    """Raises CannotChangeState with everything that stands against it in words a person can act on."""
    by.require("cells.release")
    _check_transition(lot, state, reason)
    with with_reason(reason or f"Lot {state}"):
        claim_version(lot, lot.version if version is None else version)
        lot.state, lot.state_reason = state, reason
        if state in USED_STATES and lot.released_on is None:
            lot.released_on = on
        lot.full_clean()
        lot.save()
    if state in ENDED_STATES:
        why = f"Lot {lot} was {state}: {reason}. Tell the treating physician and look for events."
        ask_about_recipients(lot, rule=f"lot_{state}", why=why, now=now)
    return lot


def _check_transition(lot: Lot, state: str, reason: str) -> None:
    if not lot_may_become(lot.state, state):
        label = Lot.State(state).label.lower()
        raise CannotChangeState(f"A lot that is {lot.get_state_display().lower()} cannot become {label}.")
    if state != Lot.State.RELEASED and not reason.strip():
        raise CannotChangeState("Write the reason: it stays with the lot.")
    if state in USED_STATES:
        _check_tests(release_verdict(lot), state)


def _check_tests(verdict: ReleaseVerdict, state: str) -> None:
    if verdict.failed:
        raise CannotChangeState(f"These tests failed: {test_names(verdict.failed)}. The lot can be rejected.")
    if state == Lot.State.RELEASED and verdict.pending:
        raise CannotChangeState(
            f"These tests are not known yet: {test_names(verdict.pending)}. Enter them, or release the lot "
            "conditionally with a reason."
        )
    if state == Lot.State.CONDITIONAL and verdict.decision == "not_yet":
        raise CannotChangeState(
            f"These results are needed before any release: {test_names(verdict.pending)}. Only sterility, "
            "mycoplasma and karyotype may follow."
        )


def ask_about_recipients(lot: Lot, *, rule: str, why: str, now: datetime) -> list[Query]:
    """One query for every infusion that used the lot, at the site that treats the person."""
    recipients = (
        Lot.objects.filter(pk=lot.pk, infusiondose__isnull=False)
        .values_list(
            "infusiondose__infusion_id",
            "infusiondose__infusion__patient_id",
            "infusiondose__infusion__patient__site_id",
        )
        .order_by("infusiondose__infusion_id")
    )
    facts = [
        QueryFacts(
            kind=Query.Kind.DEVIATION,
            rule=rule,
            record=f"infusions.infusion:{infusion}",
            field=f"lot {lot.code}"[:60],
            reason=why,
            patient_id=patient,
            site_id=site,
        )
        for infusion, patient, site in recipients
    ]
    return open_queries(facts, now=now)


# What is left ------------------------------------------------------------------------------------------------


def remaining_cells(lot_ids: Iterable[int]) -> dict[int, int]:
    """Cells left of each lot: what it held less what was infused. Below zero is shown, not hidden."""
    rows = Lot.objects.filter(pk__in=list(lot_ids)).annotate(used=Sum("infusiondose__cells_total"))
    return {
        lot: int(total) - int(used or 0) for lot, total, used in rows.values_list("pk", "cells_total", "used")
    }
