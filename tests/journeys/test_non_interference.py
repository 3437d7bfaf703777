"""Many random facts at Harbour, of every kind and from many seeds, and not one byte changes for anybody of Riverside: no
page, no exported file, no number of a report.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, models, transaction

from followup.reports.collect_safety import collect_safety
from followup.reports.numbers import canonical_json
from registry import clock
from registry.access.models import Site, SiteScope, User
from registry.exchange.exporting import Scope, export_to
from registry.patients.models import Patient
from tests.cast import NOW
from tests.journeys.test_site_separation import (
    ENCRYPTED,
    READERS,
    Place,
    answers,
    change,
    fill,
    row_models,
    shared_rows,
    two_sites,
    urls_of,
)
from tests.rights_world import ENROLLED_ON, World
from tests.sizes import size

__all__ = ["two_sites"]  # a fixture

SEEDS = size(short=3, full=10)
ROWS = size(short=150, full=500)
PATIENTS = 5


@dataclass
class Crowd(Place):
    """Several people of one site with random facts; those a row hangs on are chosen among what there is."""

    people: list[Patient] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)

    def make(self, model: type[models.Model], **given: Any) -> Any:
        self.patient = self.chance.choice(self.people)
        made: models.Model = World.make(self, model, **given)
        self.kept[model] = made
        return made

    def _value(self, one: models.Field[Any, Any]) -> Any:
        self.made += 1
        if not one.is_relation and one.choices:
            return self.chance.choice(one.flatchoices)[0]
        if isinstance(one, models.DateTimeField):
            return NOW - timedelta(minutes=self.chance.randrange(2_000_000))
        if isinstance(one, models.DateField):
            return ENROLLED_ON + timedelta(days=self.chance.randrange(1_900))
        if isinstance(one, models.DecimalField):
            return Decimal(self.chance.randrange(1, 9))
        return super()._value(one)

    def _related(self, model: type[models.Model]) -> models.Model:
        if model in (Patient, Site, User) or model not in self.kept:
            return super()._related(model)
        return self.kept[model]


def crowd_of(place: Place, seed: int) -> Crowd:
    people = [
        Patient.objects.create(patient_id=f"HAR-{seed}-{number}", site=place.riverside, created_at=NOW)
        for number in range(PATIENTS)
    ]
    return Crowd(
        riverside=place.riverside, harbour=place.riverside, patient=people[0], own=place.own, other=place.own,
        made=100_000 * (seed + 1), people=people, chance=random.Random(seed), kept=dict(place.kept),
    )  # fmt: skip


def disturb(crowd: Crowd, rows: int) -> int:
    """Adds and alters; a fact that the database refuses is no fact."""
    kinds = [model for model in row_models() if model not in ENCRYPTED]
    done = 0
    for _ in range(rows):
        model = crowd.chance.choice(kinds)
        try:
            with transaction.atomic():
                row = crowd.make(model)
                if crowd.chance.random() < 0.5:
                    change(row)
            done += 1
        except Error:
            crowd.kept.pop(model, None)
    return done


def files_of(user: User, site: Site, folder: Path) -> dict[str, str]:
    """Every table this person may export, and the numbers of a safety report of the site."""
    scope = user.scope("export.pseudonymised")
    mine = scope if not scope.everywhere else SiteScope(site_ids=frozenset({site.pk}))
    export_to(folder, scope=Scope(mine, NOW))
    found = {path.name: path.read_text() for path in folder.glob("*.csv")}
    with clock.set_to(NOW):
        numbers = collect_safety(site=site, period_from=ENROLLED_ON, period_to=NOW.date())
    return found | {"numbers": _without_the_trail(canonical_json(numbers))}


def _without_the_trail(text: str) -> str:
    """The head of the trail is of the whole registry, and shows nothing of what is in it."""
    return "\n".join(line for line in text.splitlines() if "trail" not in line and "seal" not in line)


@pytest.mark.figures
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_facts_of_another_site_change_nothing(
    seed: int, two_sites: tuple[World, Place, Place], tmp_path: Path
) -> None:
    world, here, there = two_sites
    urls = list(dict.fromkeys(urls_of(here, [*fill(here), *shared_rows()])))
    roles = READERS if SEEDS == 10 else (READERS[seed % len(READERS)],)
    manager = world.own["site_manager"]
    before = {role: answers(world.own[role], urls) for role in roles}
    files = files_of(manager, world.riverside, tmp_path / "before")
    fill(there)
    crowd = crowd_of(there, seed)
    assert disturb(crowd, ROWS) > ROWS / 3, "hardly anything was added: the test shows nothing"
    for role in roles:
        after = answers(world.own[role], urls)
        different = [url for url in urls if after[url] != before[role][url]]
        assert different == [], f"{role}: {different}"
    assert files_of(manager, world.riverside, tmp_path / "after") == files
