"""Who locks and unlocks, and a visit that is locked."""

from __future__ import annotations

import pytest

from followup.schedule.models import Visit, VisitAssessment
from registry.access.models import Site, User
from tests.cast import person
from tests.registry.signatures.lock_scene import locked
from tests.registry.signatures.records import MAKERS, signed


@pytest.fixture
def mia(riverside: Site) -> User:
    """Site manager at Riverside."""
    return person("mia", "site_manager", riverside)


@pytest.fixture
def carl(acting: None) -> User:
    """A second registry coordinator."""
    return person("carl", "coordinator", None)


@pytest.fixture
def visit(riverside: Site, ines: User, mia: User) -> Visit:
    """Signed and locked; its glycaemia still awaits a result."""
    made: Visit = MAKERS["schedule.visit"](riverside, ines)
    VisitAssessment.objects.filter(visit=made, code="glycaemia").update(state="awaiting_result", on_date=None)
    signed(made, ines)
    locked(made, mia)
    return made
