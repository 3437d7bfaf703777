"""Every way to write is seen by the trail, and nobody writes without acting."""

import json
from datetime import date

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from registry.access.models import RoleGrant, Site, User
from registry.audit import seals, triggers, verification
from registry.audit.acting import acting_as, because
from registry.audit.coverage import EXEMPT, audited_models
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry
from tests.cast import NOW

pytestmark = pytest.mark.django_db


def a_site(code: str = "RIV") -> Site:
    return Site(code=code, name="Riverside", country="GB", time_zone="Europe/London")


def entries(action: str = "", table: str = "access_site") -> list[AuditEntry]:
    found = AuditEntry.objects.filter(table_name=table).order_by("pk")
    return list(found.filter(action=action) if action else found)


def test_every_model_is_audited_or_exempt_with_a_reason() -> None:
    every = {model._meta.label_lower for model in apps.get_models(include_auto_created=True)}
    audited = {model._meta.label_lower for model in audited_models()}
    assert every == audited | EXEMPT.keys()
    assert all(len(reason) > 20 for reason in EXEMPT.values())
    guarded = {table for name, table in triggers.installed(connection) if name.startswith("audit_insert_")}
    assert guarded >= {model._meta.db_table for model in audited_models()}


def test_nobody_acting_nothing_written() -> None:
    with pytest.raises(DatabaseError, match="nobody is acting"), transaction.atomic():
        a_site().save()
    with pytest.raises(DatabaseError, match="nobody is acting"), transaction.atomic():
        Site.objects.bulk_create([a_site("A"), a_site("B")])
    assert Site.objects.count() == 0


def test_save_update_and_delete_keep_old_and_new() -> None:
    with acting_as("system:command", reason="first"):
        site = a_site()
        site.save()
    with acting_as("system:worker"), because("Name was wrong"):
        site.name = "Riverside Hospital"
        site.save()
        site.save()  # nothing changed: no entry
        site.delete()
    created, changed, removed = entries()
    assert (created.action, created.actor, created.reason) == ("insert", "system:command", "first")
    assert json.loads(created.new)["name"] == "Riverside"
    assert (json.loads(changed.old)["name"], json.loads(changed.new)["name"]) == (
        "Riverside",
        "Riverside Hospital",
    )
    assert (changed.actor, changed.reason) == ("system:worker", "Name was wrong")
    assert (removed.action, removed.new) == ("delete", "")


def test_bulk_update_and_raw_sql_are_caught() -> None:
    with acting_as("system:command"):
        Site.objects.bulk_create([a_site(code) for code in "ABC"])
        Site.objects.filter(code__in="AB").update(name="Elsewhere")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE access_site SET name = 'By hand' WHERE code = 'C'")
            cursor.executemany(
                "INSERT INTO access_site (code, name, country, time_zone, closed_weekdays, next_serial, version, form_token) "
                "VALUES (%s, 'x', 'GB', 'Europe/London', '', 1, 1, '')",
                [("D",), ("E",)],
            )
    assert [len(entries(action)) for action in ("insert", "update")] == [5, 3]


def test_insert_or_replace_leaves_a_deletion_and_an_insertion() -> None:
    if connection.vendor != "sqlite":
        statement = (
            "INSERT INTO access_site (code, name, country, time_zone, closed_weekdays, next_serial, version, form_token) VALUES "
            "('A', 'new', 'GB', 'Europe/London', '', 1, 1, '') ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name"
        )
        expected = ["insert", "update"]
    else:
        statement = (
            "INSERT OR REPLACE INTO access_site "
            "(code, name, country, time_zone, closed_weekdays, next_serial, version, form_token) "
            "VALUES ('A', 'new', 'GB', 'Europe/London', '', 1, 1, '')"
        )
        expected = ["insert", "delete", "insert"]
    with acting_as("system:command"):
        a_site("A").save()
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert [entry.action for entry in entries()] == expected


def test_copy_is_caught() -> None:
    if connection.vendor == "sqlite":
        return  # COPY exists on PostgreSQL alone; executemany above is its nearest kin here
    with (
        acting_as("system:command"),
        connection.cursor() as cursor,
        cursor.copy(
            "COPY access_site (code, name, country, time_zone, closed_weekdays, next_serial, version, form_token) FROM STDIN"
        ) as copy,
    ):
        copy.write_row(("A", "x", "GB", "Europe/London", "", 1, 1, ""))
        copy.write_row(("B", "x", "GB", "Europe/London", "", 1, 1, ""))
    assert len(entries("insert")) == 2


def test_the_trail_can_only_grow() -> None:
    with acting_as("system:command"):
        a_site().save()
        seals.seal(now=NOW)
    for model in (AuditEntry, AuditSeal, SealedEntry):
        with pytest.raises(DatabaseError, match="only grow"), transaction.atomic():
            model.objects.all().delete()
    with pytest.raises(DatabaseError, match="only grow"), transaction.atomic():
        AuditEntry.objects.update(actor="somebody else")


def test_a_primary_key_cannot_be_changed() -> None:
    with acting_as("system:command"):
        site = a_site()
        site.save()
        with pytest.raises(DatabaseError, match="primary key"), transaction.atomic():
            Site.objects.filter(pk=site.pk).update(id=site.pk + 1000)


def test_an_outer_actor_returns_after_an_inner_one() -> None:
    with acting_as("system:command"):
        with acting_as("system:worker"):
            a_site("A").save()
        a_site("B").save()
    assert [entry.actor for entry in entries()] == ["system:worker", "system:command"]


def test_people_are_named_with_role_and_site(nora: User) -> None:
    with acting_as(nora, channel="web", request_id="r1"):
        a_site("NEW").save()
    entry = entries()[-1]
    assert (entry.actor, entry.user_id, entry.role, entry.site) == ("nora", nora.pk, "nurse", "RIV")
    assert (entry.channel, entry.request_id) == ("web", "r1")


def test_passwords_stay_out_of_the_trail(nora: User) -> None:
    assert nora.password
    assert all(nora.password not in entry.new for entry in entries(table="access_user"))
    assert json.loads(entries(table="access_user")[0].new)["password"] == "(hidden)"


def test_a_whole_trail_verifies_sealed_and_unsealed(nora: User) -> None:
    with acting_as("system:command"):
        first = seals.seal(now=NOW)
        RoleGrant.objects.filter(user=nora).update(ends_on=date(2032, 1, 1))
        assert first is not None
        assert verification.verify() == []
        second = seals.seal(now=NOW)
    assert second is not None
    assert second.digest != first.digest == AuditSeal.objects.get(pk=first.pk).digest
    assert verification.verify() == []
    assert seals.seal(now=NOW) is None


def test_another_key_finds_every_seal_broken(nora: User) -> None:
    seals.seal(now=NOW)
    with override_settings(AUDIT_KEY="not the key it was sealed with"):
        assert verification.verify()


@pytest.mark.parametrize(
    ("attack", "where"),
    [
        ("UPDATE audit_entry SET actor = 'x' WHERE id = {entry}", "entry {entry}"),
        ("UPDATE audit_entry SET at = '2001-01-01 00:00:00' WHERE id = {entry}", "entry {entry}"),
        ("DELETE FROM audit_entry WHERE id = {entry}", "entry {entry}"),
        ("DELETE FROM audit_seal WHERE id = {seal}", "seal {seal}"),
        ("UPDATE audit_sealed_entry SET digest = 'x' WHERE entry_id = {entry}", "entry {entry}"),
        ("UPDATE access_site SET name = 'behind the back' WHERE id = {site}", "access_site {site}"),
        ("DELETE FROM access_site WHERE id = {site}", "access_site {site}"),
        (
            "INSERT INTO access_site (code, name, country, time_zone, closed_weekdays, next_serial, version, form_token) "
            "VALUES ('GHOST', 'x', 'GB', 'Europe/London', '', 1, 1, '')",
            "access_site",
        ),
    ],
)
def test_tampering_with_triggers_away_is_found_and_named(attack: str, where: str) -> None:
    with acting_as("system:command"):
        site = a_site()
        site.save()
        seal = seals.seal(now=NOW)
    assert seal is not None
    names = {"entry": entries()[0].pk, "seal": seal.pk, "site": site.pk}
    triggers.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute(attack.format(**names))
    triggers.install(connection)
    problems = verification.verify()
    assert any(where.format(**names) in problem.where for problem in problems)


def test_a_missing_or_altered_trigger_is_named() -> None:
    name = "audit_update_access_site"
    with connection.cursor() as cursor:
        cursor.execute(
            f'DROP TRIGGER "{name}"' + ("" if connection.vendor == "sqlite" else " ON access_site")
        )
    assert [problem.where for problem in verification.verify()] == [name]


def test_a_made_up_entry_is_refused() -> None:
    with pytest.raises(DatabaseError, match="nobody is acting"), transaction.atomic():
        AuditEntry.objects.create(
            at=NOW, table_name="access_site", row_id="1", action="insert", actor="system:worker"
        )
