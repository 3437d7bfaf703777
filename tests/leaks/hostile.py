"""A world in which every free text of every record is hostile: for tests of what leaves the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, models, transaction

from registry.audit.coverage import audited_models
from tests.rights_world import World, make_world

FEW = 5  # kinds of records that need more than plausible columns
LONG_ENOUGH = 100  # shorter columns hold codes, words from a list and numbers as received
NOT_FREE = {
    "report", "path", "wrapped", "token", "password", "digest", "sha256", "rule", "record", "summary", "totals",
    "stored_as", "inputs", "numbers_sha256", "pdf_sha256", "message_id", "content", "data", "user_agent", "plan",
    "moments_received", "seriousness_criteria", "numbers_stored_as", "assessments", "reminder_steps", "url", "progress",
}  # fmt: skip
SKIPPED = {
    "Patient",
    "Enrolment",
    "User",
    "Site",
    "Registry",
    "RoleGrant",
    "AccountRequest",
    "EmailAddress",
    "FollowUpPlan",
}
ENCRYPTED = {"PatientKey", "Identity", "SearchWord", "ContactPoint"}


def is_free_text(one: models.Field[Any, Any]) -> bool:
    if one.choices or one.name in NOT_FREE or one.primary_key or one.is_relation:
        return False
    wide = type(one) is models.CharField and (one.max_length or 0) >= LONG_ENOUGH
    return wide or type(one) is models.TextField


@dataclass
class HostileWorld(World):
    """Each text column gets the next payload, so that over several rows every column meets many."""

    payloads: Sequence[str] = ()
    written: set[tuple[str, str]] = field(default_factory=set)

    def make(self, model: type[models.Model], **given: Any) -> Any:
        texts = {}
        for one in model._meta.concrete_fields:
            if is_free_text(one) and one.name not in given:
                texts[one.name] = self._payload(one)
                self.written.add((model.__name__, one.name))
        return super().make(model, **texts | given)

    def _payload(self, one: models.Field[Any, Any]) -> str:
        for _ in self.payloads:
            self.made += 1
            text = self.payloads[self.made % len(self.payloads)]
            if len(text) < (one.max_length or 10_000) - 8:
                # A number behind it keeps unique columns unique; guards look at the beginning.
                return f"{text} {self.made}"
        return f"short {self.made}"


def hostile_world(payloads: Sequence[str]) -> HostileWorld:
    plain = make_world()
    return HostileWorld(
        plain.riverside, plain.harbour, plain.patient, own=plain.own, other=plain.other, payloads=payloads
    )


def fillable() -> Iterator[type[models.Model]]:
    for model in audited_models():
        ours = model._meta.app_config.name.startswith(("registry.", "followup."))
        if ours and not model._meta.auto_created and model.__name__ not in SKIPPED | ENCRYPTED:
            yield model


def fill(world: HostileWorld, *, rounds: int) -> list[models.Model]:
    """A kind of which a patient has one a day, or one at all, is made once; one the database refuses, not at all."""
    made: list[models.Model] = []
    for _ in range(rounds):
        for model in fillable():
            try:
                with transaction.atomic():
                    made.append(world.make(model))
            except IntegrityError:
                continue
    refused = {model.__name__ for model in fillable()} - {type(row).__name__ for row in made}
    assert len(refused) <= FEW, f"the test shows little: {sorted(refused)}"
    return made
