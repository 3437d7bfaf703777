"""People in follow-up with visits around 14 Mar 2031."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from followup.schedule.models import Visit, WorkItem
from registry import clock
from registry.access.models import Site
from registry.patients.identity import IdentityFacts, save_identities
from registry.patients.models import Patient
from tests.cast import NOW, TODAY

FRAME_QUERIES = 5  # session, person, rights, registry, and the sweep's banner, on every page


@pytest.fixture(autouse=True)
def _fixed_clock() -> Iterator[None]:
    with clock.set_to(NOW):
        yield


@pytest.fixture
def enrolled(acting: None) -> Callable[..., Patient]:
    """enrolled(site, 7, family_name="Delgado")"""

    def make(site: Site, number: int, **facts: Any) -> Patient:
        patient = Patient.objects.create(
            patient_id=f"{site.code}-{number:04}-A",
            site=site,
            status=facts.pop("status", "in_follow_up"),
            sex_at_birth="female",
            birth_year=1973,
            created_at=NOW,
        )
        identity = IdentityFacts(given_name="Maria", phone="+44 20 7946 0123", **facts)
        save_identities(entries=[(patient, identity)])
        return patient

    return make


def visit_of(patient: Patient, code: str, *, closes_in: int, length: int = 14, **more: Any) -> Visit:
    closes = TODAY + timedelta(days=closes_in)
    opens = closes - timedelta(days=length)
    target = opens + (closes - opens) / 2
    days: dict[str, date] = {"window_opens": opens, "target_date": target, "window_closes": closes}
    return Visit.objects.create(
        patient=patient,
        site=patient.site,
        visit_code=code,
        created_on=opens,
        neoplasia_check=False,
        **days | more,
    )


def task_for(patient: Patient, number: int, **more: Any) -> WorkItem:
    values: dict[str, Any] = {
        "kind": "deviation",
        "level": "due",
        "title": f"Deviation {number}",
        "role": "nurse",
    }
    values |= {"due_on": TODAY, "opened_at": NOW, "url": "/somewhere/", "source": f"x:{number}"} | more
    return WorkItem.objects.create(patient=patient, site=patient.site, **values)


def own_queries(captured: CaptureQueriesContext) -> int:
    """Without those of the frame, the brackets of transactions and the number the trail takes for an entry."""
    aside = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "SELECT max(COALESCE(", "SELECT nextval(")
    whole = [one for one in captured.captured_queries if not one["sql"].startswith(aside)]
    settings = [one for one in whole if "set_config(" in one["sql"]]
    return len(whole) - len(settings) - FRAME_QUERIES


def counting() -> CaptureQueriesContext:
    return CaptureQueriesContext(connection)
