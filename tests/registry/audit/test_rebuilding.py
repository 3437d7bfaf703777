"""C1 of the trust plan: after thousands of operations through every channel the trail alone makes every table again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, models, transaction
from django.test import Client

from followup.labs.models import Laboratory
from registry import clock
from registry.access.models import RoleGrant, Site
from registry.audit.acting import acting_as, because
from registry.audit.coverage import audited_tables
from registry.audit.models import AuditEntry
from registry.audit.verification import verify
from registry.exchange import runs
from registry.patients.models import ConsentDocument, ContactPoint, Enrolment, Patient
from registry.saving import new_token
from tests.cast import NOW
from tests.registry.audit.rebuilding import differences
from tests.rights_world import World, make_world
from tests.sizes import size

pytestmark = [pytest.mark.django_db, pytest.mark.figures]
OPERATIONS = size(short=250, full=5000)
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
HEAD = "site,local_id,given_name,family_name,birth_date,sex,enrolment_date,consent_date,consent_version\n"


class Registry:
    """One instance at work; each method is one operation through one channel."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world: World = make_world()
        self.now = NOW
        self.browser = Client()
        self.browser.force_login(self.world.own["nurse"], backend=BACKEND)
        self.count: Counter[str] = Counter()

    def some(self, model: type[models.Model]) -> Any:
        return self.chance.choice(list(model._default_manager.order_by("pk")))

    def form(self) -> None:
        facts = {
            "person": "gp", "kind": "phone", "value": f"030 {self.chance.randrange(10**6)}", "may_use": "on",
            "valid_from": "2026-01-01", "form_token": new_token(),
        }  # fmt: skip
        address = f"/patients/{self.world.patient.patient_id}/contacts/"
        answer = self.browser.post(address, facts)
        assert answer.status_code == 302, answer.content

    def end_a_contact(self) -> None:
        point = ContactPoint.objects.order_by("-pk").first()
        if point:
            self.browser.post(f"/patients/{self.world.patient.patient_id}/contacts/{point.pk}/end/")

    def refused_form(self) -> None:
        assert self.browser.post("/patients/enrol/", {}).status_code < 500

    def file(self) -> None:
        ids = [self.chance.randrange(10**9) for _ in range(3)]
        rows = [f"RIV,L-{n},Ada,Name{n},1960-05-02,female,2031-01-10,2031-01-10,1.0" for n in ids]
        upload = SimpleUploadedFile("people.csv", (HEAD + "\n".join(rows) + "\n").encode())
        nurse = self.world.own["nurse"]
        with acting_as(nurse, channel="web"):
            run = runs.upload(
                kind="patients", file=upload, clean_rows=False, reason="", form_token=new_token(), by=nurse,
                now=self.now,
            )  # fmt: skip
        runs.work_waiting(now=lambda: self.now)
        run.refresh_from_db()
        with acting_as(nurse, channel="web"):
            runs.confirm(run=run, by=nurse)
        runs.work_waiting(now=lambda: self.now)
        run.refresh_from_db()
        assert run.state == "stored", run.message

    def sweep(self) -> None:
        call_command("sweep", stdout=StringIO())

    def saved(self) -> None:
        laboratory = self.some(Laboratory) if Laboratory.objects.exists() else self.world.make(Laboratory)
        laboratory.name = f"Laboratory {self.chance.random()} “µ” \\ \n ✓"
        with because("Renamed"):
            laboratory.save()

    def made(self) -> None:
        self.world.make(self.chance.choice((Laboratory, ConsentDocument)))

    def in_bulk(self) -> None:
        Laboratory.objects.bulk_create(Laboratory(name=f"Bulk {self.chance.random()}") for _ in range(5))

    def many_at_once(self) -> None:
        RoleGrant.objects.filter(user=self.world.own["nurse"]).update(
            ends_on=NOW.date() + timedelta(self.chance.randrange(300))
        )
        Enrolment.objects.update(weight_kg=str(50 + self.chance.randrange(500) / 10))

    def by_hand(self) -> None:
        with connection.cursor() as cursor:
            name = f"By hand {self.chance.random()}"
            cursor.execute("UPDATE access_site SET name = %s WHERE id = %s", [name, self.some(Site).pk])

    def removed(self) -> None:
        free = Laboratory.objects.order_by("-pk").first()
        if free:
            free.delete()

    def rolled_back(self) -> None:
        with transaction.atomic():
            self.saved()
            transaction.set_rollback(True)

    def step(self) -> None:
        operation = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.count[operation.__name__] += 1
        operation(self)


WEIGHTS: dict[Callable[[Registry], None], int] = {
    Registry.form: 10, Registry.end_a_contact: 4, Registry.refused_form: 2, Registry.file: 2, Registry.sweep: 1,
    Registry.saved: 25, Registry.made: 15, Registry.in_bulk: 5, Registry.many_at_once: 10, Registry.by_hand: 15,
    Registry.removed: 8, Registry.rolled_back: 3,
}  # fmt: skip


@pytest.fixture
def registry(acting: None, tmp_path: Path, settings: Any) -> Registry:
    settings.DATA_DIR = tmp_path
    return Registry(seed=20310314)


def test_the_trail_alone_rebuilds_every_audited_table(registry: Registry) -> None:
    with clock.set_to(NOW):
        for _ in range(OPERATIONS):
            registry.step()
    assert set(registry.count) == {one.__name__ for one in WEIGHTS}
    assert Patient.objects.count() > 3
    assert {"insert", "update", "delete"} <= set(AuditEntry.objects.values_list("action", flat=True))
    assert list(differences()) == []
    assert verify() == []


def test_a_row_the_trail_does_not_know_is_seen(registry: Registry) -> None:
    """The comparison can fail: a column changed beneath the triggers makes both sides differ."""
    from tests.registry.audit.attacks import behind_the_triggers, run

    assert list(differences()) == []
    with behind_the_triggers("access_site"):
        run("UPDATE access_site SET name = 'Elsewhere' WHERE id = %s", registry.world.harbour.pk)
    assert len(list(differences())) == 2


def test_what_the_trail_hides_is_named() -> None:
    """Secrets are kept out of the trail's text, and so cannot be rebuilt: these columns and no others."""
    hidden = {(table.name, column) for table in audited_tables() for column in table.hidden}
    assert hidden >= {("access_user", "password"), ("patients_patientkey", "wrapped")}
    assert not any(
        word in column for _, column in hidden for word in ("name", "_on", "_at", "status", "value")
    )
