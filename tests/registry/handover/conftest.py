"""Who moves, and who answers for the other site."""

from __future__ import annotations

from datetime import date

import pytest

from registry.access.models import Site, User
from registry.patients.actions import EnrolmentFacts, NewPatient, enrol_patients
from registry.patients.models import Patient
from tests.cast import NOW, person
from tests.registry.handover.scene import FACTS


@pytest.fixture
def anna(riverside: Site, harbour: Site) -> Patient:
    new = NewPatient(site=riverside, enrolment=EnrolmentFacts(date(2030, 3, 1)), identity=FACTS)
    return enrol_patients(entries=[new], now=NOW)[0]


@pytest.fixture
def ivan(harbour: Site) -> User:
    """Investigator at Harbour, who answers for it."""
    return person("ivan", "investigator", harbour)
