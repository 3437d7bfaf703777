"""A patient of Riverside, and one of Harbour."""

from decimal import Decimal

import pytest

from followup.schedule.models import Visit, VisitAssessment
from registry.access.models import Site
from registry.patients.models import Enrolment, Patient
from tests.cast import NOW, TODAY


def patient_at(site: Site, patient_id: str, **columns: object) -> Patient:
    return Patient.objects.create(
        patient_id=patient_id,
        site=site,
        created_at=NOW,
        **{"sex_at_birth": "female", "birth_year": 1973} | columns,
    )


@pytest.fixture
def rosa(riverside: Site) -> Patient:
    """Followed at Riverside; nothing is known of her insulin."""
    patient = patient_at(riverside, "RIV-0042-J")
    Enrolment.objects.create(patient=patient, enrolled_on="2029-01-10", height_cm=Decimal(165))
    return patient


@pytest.fixture
def tane(harbour: Site) -> Patient:
    """Followed at Harbour, far east of Riverside."""
    return patient_at(harbour, "HAR-0007-D", sex_at_birth="male")


@pytest.fixture
def visit(rosa: Patient) -> Visit:
    """Rosa's visit of today, with laboratory work still to be recorded."""
    visit = Visit.objects.create(
        patient=rosa,
        site=rosa.site,
        visit_code="M24",
        actual_date=TODAY,
        contact_mode="on_site",
        created_on=TODAY,
    )
    VisitAssessment.objects.bulk_create(
        VisitAssessment(visit=visit, code=code)
        for code in ("interview", "glycaemia", "islet_function", "vital_signs", "tumour_markers")
    )
    return visit
