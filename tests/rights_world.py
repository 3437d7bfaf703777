"""Two sites, a person of every role at each, and one record of any kind at Riverside: for tests of rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models.fields import NOT_PROVIDED

from registry.access import policy
from registry.access.models import RoleGrant, Site, User
from registry.patients.models import Enrolment, Patient
from tests.cast import NOW

ACROSS = ("safety", "coordinator", "auditor", "administrator")
PATIENT_ID = "RIV-0001-X"
ENROLLED_ON = date(2026, 1, 5)


@dataclass(frozen=True)
class Case:
    """One address: the acts that open it (any of them), the keys in it, and whether a site owns what it shows.

    `acts` is said here once more, on purpose: a view that asks for the wrong act fails.
    """

    acts: tuple[str, ...]
    kwargs: Callable[[World], dict[str, Any]] = lambda world: {}
    of_site: bool = True
    may_hide: bool = False  # the view narrows further than the act: 403 and 404 are answers too


@dataclass
class World:
    """`own[role]` works at Riverside, `other[role]` at Harbour; those across sites stand in `own` alone."""

    riverside: Site
    harbour: Site
    patient: Patient
    own: dict[str, User] = field(default_factory=dict)
    other: dict[str, User] = field(default_factory=dict)
    made: int = 0

    def make(self, model: type[models.Model], **given: Any) -> Any:
        """A row with every required column filled plausibly; `given` wins."""
        values = {
            one.name: self._value(one) for one in model._meta.concrete_fields if self._is_needed(one, given)
        }
        return model._default_manager.create(**values | given)

    def _is_needed(self, one: models.Field[Any, Any], given: dict[str, Any]) -> bool:
        if one.name in given or one.primary_key:
            return False
        owns = one.is_relation and one.related_model in (Patient, Site)
        return owns or not (one.null or one.blank or one.default is not NOT_PROVIDED)

    def _value(self, one: models.Field[Any, Any]) -> Any:
        self.made += 1
        if one.is_relation:
            return self._related(one.related_model)
        if one.choices:
            return one.flatchoices[0][0]
        plain: dict[type[models.Field[Any, Any]], Any] = {
            models.DateTimeField: NOW.replace(year=2026), models.DateField: ENROLLED_ON, models.BooleanField: False,
            models.DecimalField: Decimal(1), models.IntegerField: 1, models.JSONField: {},
        }  # fmt: skip
        kind = next((kind for kind in plain if isinstance(one, kind)), None)
        if kind:
            return plain[kind]
        return "2026-01-05" if type(one).__name__ == "PartialDateField" else f"t{self.made}"

    def _related(self, model: type[models.Model]) -> models.Model:
        if model is Patient:
            return self.patient
        if model is Site:
            return self.riverside
        if model is User:
            return self.own["nurse"]
        return model._default_manager.order_by("pk").first() or self.make(model)


def make_world() -> World:
    """Call inside `acting_as()`."""
    sites = [
        Site.objects.create(code=code, name=name, country="GB", time_zone="Europe/London")
        for code, name in (("RIV", "Riverside"), ("HAR", "Harbour"))
    ]
    patient = Patient.objects.create(patient_id=PATIENT_ID, site=sites[0], created_at=NOW)
    Enrolment.objects.create(patient=patient, enrolled_on=ENROLLED_ON)
    world = World(*sites, patient=patient)
    for role in policy.ROLES:
        world.own[role] = _person(f"own-{role}", role, sites[0])
        if role not in ACROSS:
            world.other[role] = _person(f"other-{role}", role, sites[1])
    return world


def _person(username: str, role: str, site: Site) -> User:
    user = User.objects.create(username=username, full_name=username, date_joined=NOW)
    places: list[Site | None] = [None] if role in ACROSS else [site]
    if role == "product":
        places = [site, None]
    RoleGrant.objects.bulk_create(
        RoleGrant(user=user, role=role, site=place, starts_on=date(2020, 1, 1)) for place in places
    )
    return user


def of_patient(world: World) -> dict[str, Any]:
    return {"patient_id": world.patient.patient_id}


def of_row(model: type[models.Model], **given: Any) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"pk": world.make(model, **given).pk}
