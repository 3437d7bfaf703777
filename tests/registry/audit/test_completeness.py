"""P-01, P-02 and P-05: everything leaves its entry, with the data or not at all; nothing turns that off."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from registry.access.models import RoleGrant, Site, User
from registry.audit import triggers
from registry.audit.acting import acting_as, because
from registry.audit.models import AuditEntry
from tests.cast import PASSWORD
from tests.places import ENGINES_AT_ONCE, place_on
from tests.rights_world import World, make_world
from tests.sizes import size

ROOT = Path(settings.BASE_DIR)
KILLS = size(short=8, full=50)
# Every delete the product's code can do, and why no record of a person is lost by it.
DELETES = {
    "registry/patients/identity.py": "words for searching names, derived from the identifiers beside them",
    "registry/patients/erasing.py": "the patient's key, search words and drafts: destroying them is the erasure",
    "registry/backups/sqlite_copy.py": "tables of passing state in the copy that is backed up, not in the registry",
    "registry/signin/actions.py": "a browser's session that somebody ended; ending it stands in the trail",
    "registry/signin/sessions.py": "browser sessions that ended; signing in and out stand in the trail",
    "registry/signin/drafts.py": "what was typed and not saved, kept for a short time only",
    "registry/signin/second_factor.py": "second factors that were taken away; their removal stands in the trail",
    "registry/signin/recovery.py": "recovery codes that were replaced; making new ones stands in the trail",
    "followup/reminders/dispatch.py": "marks that somebody is being told, derived from the messages",
    "followup/reminders/upkeep.py": "messages the embedded broker has handed out, not a table of the registry",
}


def newest(**wanted: Any) -> AuditEntry:
    found = AuditEntry.objects.filter(**wanted).order_by("-pk").first()
    assert found, f"no entry with {wanted}"
    return found


def sign_in(world: World) -> None:
    user = world.own["nurse"]
    user.set_password(PASSWORD)
    user.save()
    Client().post("/accounts/login/", {"login": user.username, "password": PASSWORD})


def failed_sign_in(world: World) -> None:
    Client().post("/accounts/login/", {"login": "own-nurse", "password": "not this one"})


def browser(user: User) -> Client:
    made = Client()
    made.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return made


def read_identifiers(world: World) -> None:
    from registry.patients.identity import IdentityFacts, save_identity

    save_identity(patient=world.patient, facts=IdentityFacts(given_name="Ann", family_name="Bell"), by=None)
    browser(world.own["nurse"]).get("/patients/")


def print_a_sheet(world: World) -> None:
    assert browser(world.own["nurse"]).get(f"/infusions/{world.patient.patient_id}/sheet/").status_code == 200


def print_the_trail(world: World) -> None:
    browser(world.own["monitor"]).get("/data/trail/print/")


def export_the_trail(world: World) -> None:
    browser(world.own["monitor"]).get("/data/trail/export.csv")


def change_a_role(world: World) -> None:
    with acting_as(world.own["coordinator"], channel="web"), because("Leaves in May"):
        RoleGrant.objects.filter(user=world.own["nurse"]).update(ends_on=date(2031, 5, 31))


def sign_out(world: World) -> None:
    browser(world.own["nurse"]).post("/accounts/logout/")


# What happens, and the entry it must leave: kind of act, who, channel, and about whom.
KINDS: dict[str, tuple[Callable[[World], None], dict[str, Any]]] = {
    "sign-in": (sign_in, {"action": "sign-in", "actor": "own-nurse", "channel": "web"}),
    "failed sign-in": (
        failed_sign_in,
        {"action": "sign-in failed", "actor": "system:sign-in", "channel": "web"},
    ),
    "sign-out": (sign_out, {"action": "sign-out", "actor": "own-nurse", "channel": "web"}),
    "reading names": (
        read_identifiers,
        {"action": "identifiers read", "actor": "own-nurse", "channel": "web"},
    ),
    "printing a sheet": (
        print_a_sheet,
        {"action": "print", "actor": "own-nurse", "table_name": "patients_patient"},
    ),
    "printing the trail": (print_the_trail, {"action": "print", "actor": "own-monitor", "channel": "web"}),
    "exporting the trail": (
        export_the_trail,
        {"action": "trail exported", "actor": "own-monitor", "channel": "web"},
    ),
    "changing a role": (
        change_a_role,
        {
            "action": "update",
            "table_name": "access_rolegrant",
            "actor": "own-coordinator",
            "reason": "Leaves in May",
        },
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_act_leaves_its_entry(kind: str) -> None:
    with acting_as("system:command"):
        world = make_world()
        act, wanted = KINDS[kind]
        act(world)
    entry = newest(**wanted)
    assert entry.at is not None
    assert entry.software == settings.VERSION
    assert entry.mac
    if not entry.actor.startswith("system:"):
        person = world.own[entry.actor.removeprefix("own-")]
        assert (entry.user_id, entry.role, entry.site) == (person.pk, person.role_label, person.site_label)


@pytest.mark.django_db
def test_a_request_carries_its_number_and_channel_into_every_row_it_writes(
    nora: User, signed_in: Any
) -> None:
    browser = signed_in(nora)
    browser.post(
        "/accounts/password/",
        {"oldpassword": PASSWORD, "password1": "b" * 14 + "7x", "password2": "b" * 14 + "7x"},
    )
    entry = newest(table_name="access_user", action="update", actor="nora", channel="web")
    assert len(entry.request_id) == 32


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize("engine", ENGINES_AT_ONCE)
def test_killed_between_data_and_trail_leaves_both_or_neither(engine: str, tmp_path: Path) -> None:
    """A row without its entry, or an entry without its row, would be named by `audit_verify`."""
    with place_on(engine, tmp_path / "data", PYTHONPATH=str(ROOT)) as place:
        place.migrate()
        done = place.run("tests/registry/audit/killing.py", str(KILLS))
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        facts = json.loads(place.manage("audit_verify", "--json"))
        assert facts["whole"], facts["problems"][:5]
        assert facts["entries"] > KILLS
        # What was finished stands, and nothing else does.
        assert place.ask("SELECT count(*) FROM access_site WHERE code LIKE 'S%'") == [(int(done.stdout),)]


def test_no_product_code_deletes_records() -> None:
    """Every call of `.delete(` in the product stands in the list above, with its reason."""
    found: Counter[str] = Counter()
    for room in ("registry", "followup", "config"):
        for file in (ROOT / room).rglob("*.py"):
            if "migrations" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "delete"
                ):
                    owner = ast.unparse(node.func.value)
                    if not owner.startswith(("cache", "self.storage", "request.session", "session")):
                        found[str(file.relative_to(ROOT))] += 1
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and "DELETE FROM" in node.value
                ):
                    found[str(file.relative_to(ROOT))] += 1
    assert not set(found) - set(DELETES), f"give a reason for: {sorted(set(found) - set(DELETES))}"
    assert not set(DELETES) - set(found), (
        f"these delete nothing any more: {sorted(set(DELETES) - set(found))}"
    )
    assert all(len(reason) > 20 for reason in DELETES.values())


def test_no_switch_of_the_environment_reaches_the_trail() -> None:
    """The room of the trail reads three settings, none of them a switch, and nothing of the environment."""
    read = set()
    for file in (ROOT / "registry/audit").rglob("*.py"):
        text = file.read_text()
        assert "environ" not in text, file
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "settings"
            ):
                read.add(node.attr)
    assert read == {"AUDIT_KEY", "ANCHOR_FILE", "VERSION"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["DEBUG", "USE_TZ", "REQUIRE_MFA"])
def test_whatever_is_set_the_trail_is_written(name: str, riverside: Site, settings: Any) -> None:
    setattr(settings, name, not getattr(settings, name, False))
    before = AuditEntry.objects.count()
    Site.objects.filter(pk=riverside.pk).update(name="Elsewhere")
    assert AuditEntry.objects.count() == before + 1
    assert triggers.missing_or_altered(connection) == []
