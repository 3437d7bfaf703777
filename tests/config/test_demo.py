"""The demo shows what the literature describes, is the same for the same seed, and never mixes with real people."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from config.demo.build import build
from followup.neoplasia.models import Neoplasm
from followup.reminders.actions import run_sweep
from followup.reminders.reconciliation import reconcile
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit, WorkItem
from registry.access.models import Registry, Site, User
from registry.access.policy import ROLES
from registry.audit import verification
from registry.exchange.exporting import Scope, export_to
from registry.infusions.models import Infusion
from registry.patients.models import Patient
from tests.cast import NOW, PASSWORD, TODAY

SAME = ("patients", "infusions", "visits", "treatments", "status", "neoplasia_checks")


def make(patients: int, seed: int = 1) -> Any:
    return build(sites=2, patients=patients, seed=seed, today=TODAY, password=PASSWORD)


def exported(folder: Path, patients: int, seed: int) -> dict[str, str]:
    """What this seed gives; the database is as before afterwards."""
    with transaction.atomic():
        make(patients, seed)
        export_to(
            folder, scope=Scope(User.objects.get(username="coordinator").scope("export.pseudonymised"), NOW)
        )
        transaction.set_rollback(True)
    return {name: (folder / f"{name}.csv").read_text() for name in SAME}


@pytest.mark.django_db(transaction=True)
def test_every_shape_is_there_and_nobody_is_forgotten(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.EMAIL_BACKEND = "config.mail.FileSink"
    accounts = make(12)
    assert {account.role for account in accounts} == set(ROLES)
    assert Registry.current().kind == "demo"
    assert len(set(Site.objects.values_list("time_zone", flat=True))) == 2
    assert Counter(Patient.objects.values_list("status", flat=True)) >= Counter(
        ["deceased", "withdrawn", "enrolled"]
    )
    assert sorted(Neoplasm.objects.values_list("status", flat=True)) == [
        "excluded",
        "malignant",
        "under_work_up",
    ]
    assert Infusion.objects.filter(reaction="fever").exists()
    assert AdverseEvent.objects.filter(term="Fever").exists()
    assert Visit.objects.filter(state="missed").exists()
    assert WorkItem.objects.open().filter(kind="suspicion").count() == 1
    run_sweep(now=NOW, as_of=NOW)
    assert reconcile(now=NOW).findings == []
    assert verification.verify() == []


@pytest.mark.django_db(transaction=True)
def test_the_same_seed_gives_the_same_registry(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    first, second, other = (
        exported(tmp_path / name, 3, seed) for name, seed in (("first", 1), ("second", 1), ("other", 2))
    )
    assert first == second
    assert first != other
    assert len(list(csv.reader(first["patients"].splitlines()))) == 4


@pytest.mark.django_db
def test_a_registry_with_people_is_refused(nora: User) -> None:
    with pytest.raises(CommandError, match="holds people already"):
        call_command("demo", "--patients", "1")
    assert Registry.current().kind == "live"
