"""C2 of the trust plan: whatever is done to the trail or beneath it by SQL is refused, or found and named."""

import random
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from followup.labs.models import Laboratory
from registry.access.models import RoleGrant, Site, User
from registry.audit import anchors, seals
from registry.audit.acting import acting_as, because
from registry.audit.actions import record_event
from registry.audit.models import AuditEntry
from registry.audit.verification import verify
from registry.patients.models import ConsentDocument
from tests.cast import NOW
from tests.registry.audit.attacks import KINDS, behind_the_triggers, run
from tests.rights_world import World, make_world
from tests.sizes import size

pytestmark = pytest.mark.django_db
ATTACKS = size(short=40, full=100)


def written(world: World, nth: int) -> None:
    """Some of everything: new rows, changed rows, a removed one, and events without a row."""
    for _ in range(3):
        world.make(Laboratory)
        world.make(ConsentDocument)
    with because("Name was wrong"):
        Site.objects.filter(pk=world.harbour.pk).update(name=f"Harbour {nth}")
        RoleGrant.objects.filter(user=world.own["nurse"]).update(ends_on=date(2032, 1, 1 + nth))
    world.make(Laboratory).delete()
    record_event(action="export", about="export", detail=f"{nth} rows", now=NOW)


@pytest.fixture
def trail(acting: None) -> None:
    """Three anchored seals and an open end, whole."""
    world = make_world()
    for nth in range(3):
        written(world, nth)
        seals.seal(now=NOW)
    for model in (Laboratory, ConsentDocument):
        for _ in range(3):
            world.make(model)
    assert verify() == []


@pytest.mark.figures
def test_every_attack_is_found_and_named(trail: None) -> None:
    chance = random.Random(20310314)
    kinds = [KINDS[nth % len(KINDS)] for nth in range(ATTACKS)]
    missed = []
    for nth, attack in enumerate(kinds):
        with transaction.atomic():
            where = attack(chance)
            found = [problem.where for problem in verify()]
            transaction.set_rollback(True)
        if not any(one == where or one.startswith(f"{where} ") for one in found):
            missed.append(f"{nth} {attack.__name__}: {where} not among {found[:5]}")
    assert missed == [], f"{len(missed)} of {ATTACKS} not found"
    assert verify() == []


@pytest.mark.parametrize("table", ["audit_entry", "audit_seal", "audit_sealed_entry"])
def test_the_database_itself_refuses_to_change_the_trail(trail: None, table: str) -> None:
    key = "entry_id" if table == "audit_sealed_entry" else "id"
    for statement in (["UPDATE", table, "SET", key, "=", key, "+ 1000"], ["DELETE FROM", table]):
        with pytest.raises(DatabaseError, match="only grow"), transaction.atomic():
            run(" ".join(statement))
    if connection.vendor == "postgresql":
        with pytest.raises(DatabaseError, match="only grow"), transaction.atomic():
            run(f"TRUNCATE {table}")


def test_an_entry_without_the_key_is_found_before_it_is_sealed_and_after(trail: None) -> None:
    with behind_the_triggers("audit_entry"):
        AuditEntry.objects.create(
            at=NOW, table_name="access_site", row_id="1", action="sign-in", old="", new="", actor="nora", role="nurse",
            site="RIV", reason="", channel="web", request_id="", nonce="0" * 16, mac="0" * 64,
        )  # fmt: skip
    forged = AuditEntry.objects.order_by("-pk")[0]
    for _ in range(2):
        assert [problem.where for problem in verify()] == [f"entry {forged.pk} (access_site 1)"]
        seals.seal(now=NOW)


def lines() -> list[str]:
    return anchors.path().read_text().splitlines(keepends=True)


def keep(kept: list[str]) -> None:
    anchors.path().write_text("".join(kept))


def test_the_anchor_file_has_a_line_for_each_seal(trail: None) -> None:
    assert len(lines()) == 3
    assert seals.head() in lines()[-1]
    assert anchors.path().stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("cut", "where"),
    [
        (lambda kept: kept[:-1], "seal"),
        (lambda kept: kept[1:], "line 1"),
        (lambda kept: [kept[0], kept[2]], "line 2"),
        (lambda kept: [kept[0].replace('"entries": ', '"entries": 1'), *kept[1:]], "line 1"),
        (lambda kept: [kept[0], "not a line\n", *kept[1:]], "line 2"),
    ],
    ids=["end cut", "beginning cut", "middle cut", "edited", "line added"],
)
def test_a_cut_or_edited_anchor_file_is_noticed(trail: None, cut: Any, where: str) -> None:
    keep(cut(lines()))
    assert any(one.kind == "anchor" and one.where.startswith(where) for one in verify())


def test_a_missing_anchor_file_is_found_until_somebody_says_why(trail: None) -> None:
    anchors.path().unlink()
    assert ["the anchor file is missing" in one.what for one in verify()] == [True]
    with acting_as("system:command"):
        record_event(action="export", about="export", now=NOW)
    seals.seal(now=NOW)
    assert ["was missing and begun again" in one.what for one in verify()] == [True]
    with pytest.raises(CommandError, match="Say why"):
        call_command("seal", new_anchor=True)
    call_command("seal", new_anchor=True, reason="Moved to a new server", stdout=StringIO())
    assert verify() == []
    event = AuditEntry.objects.get(action="anchor begun anew")
    assert event.reason == "Moved to a new server"


def test_a_half_written_line_is_written_again_whole(trail: None) -> None:
    whole = lines()
    keep([*whole[:2], whole[2][:40]])
    anchors.catch_up()
    assert lines()[:2] == whole[:2]
    assert verify() == []


def test_another_person_on_a_row_is_told_by_its_entry(nora: User) -> None:
    """The entry names who acted, with which version of the registry, and whose site the row belongs to."""
    with acting_as(nora, channel="web"):
        grant = RoleGrant.objects.get(user=nora)
        RoleGrant.objects.filter(pk=grant.pk).update(ends_on=date(2033, 1, 1))
    entry = AuditEntry.objects.filter(table_name="access_rolegrant").order_by("-pk")[0]
    assert (entry.actor, entry.about_site, entry.software) == ("nora", grant.site_id, "0.2.0")
    assert verify() == []
