"""A patient of Riverside."""

import pytest

from registry.access.models import Site
from registry.patients.models import Patient
from tests.cast import NOW


@pytest.fixture
def rosa(riverside: Site) -> Patient:
    return Patient.objects.create(patient_id="RIV-0042-J", site=riverside, created_at=NOW)
