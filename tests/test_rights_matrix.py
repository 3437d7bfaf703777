"""The matrix as it is printed, executed cell by cell through HTTP: open-label and blinded, own site and another."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from registry import clock
from registry.access import policy
from registry.access.models import Registry, RoleGrant, RoleRequest, User
from registry.exchange.models import ExportRun
from registry.exchange.tasks import work_waiting
from tests.cast import NOW, person
from tests.journeys.test_site_separation import fill, place_of
from tests.rights_cases import every_case
from tests.rights_world import Case, World, make_world
from tests.test_rights import BACKEND, answer

ROOT = Path(__file__).parent.parent
# Asked inside pages and actions, which stand behind another act: what they narrow is tested where they are.
CASES = every_case()
BY_ACT: dict[str, list[str]] = {
    act: [name for name, case in CASES.items() if act in case.acts] for act in policy.ACTS
}


@pytest.fixture
def world(acting: None) -> World:
    return make_world()


def printed() -> dict[tuple[str, str], dict[str, str]]:
    out = io.StringIO()
    call_command("access_matrix", json=True, stdout=out)
    return {(cell["act"], cell["role"]): cell for cell in json.loads(out.getvalue())}


# Every cell, executed ----------------------------------------------------------------------------------------


def one_address(act: str) -> str:
    """The address that asks for this act and nothing else, where there is one."""
    names = sorted(BY_ACT[act], key=lambda name: (len(CASES[name].acts), CASES[name].may_hide, name))
    return names[0]


@pytest.mark.parametrize("act", [act for act in policy.ACTS if BY_ACT[act]])
def test_each_printed_cell_holds_over_http(act: str, world: World) -> None:
    name = one_address(act)
    case, cells = CASES[name], printed()
    keys = case.kwargs(world)
    url = reverse(name, kwargs=keys)
    wrong = []
    for column in ("scope", "blinded"):
        Registry.objects.update_or_create(pk=1, defaults={"blinded": column == "blinded"})
        scopes = {role: {cells[one, role][column] for one in case.acts} - {"none"} for role in policy.ROLES}
        for role, user in world.own.items():
            wrong += _wrong(
                f"{column}: {role}, own site",
                status_of(user, url, bool(scopes[role])),
                bool(scopes[role]),
                case,
            )
        if keys and case.of_site:
            others = [role for role in world.other if scopes[role] == {policy.OWN}]
            got = {role: status_of(world.other[role], url, may=False) for role in others}
            wrong += [
                f"{column}: {role}, another site: {one}, expected 404"
                for role, one in got.items()
                if one != 404
            ]
    assert wrong == []


def status_of(user: User, url: str, may: bool) -> int:
    """What takes POST alone answers 405 to those who may, and is asked by POST of those who may not."""
    user = User.objects.get(pk=user.pk)  # the grants are read anew, as in a request of its own
    status = answer(user, url).status_code
    return answer(user, url, "post").status_code if status == 405 and not may else status


def _wrong(who: str, status: int, may: bool, case: Case) -> Iterator[str]:
    if may and status == 403 and not case.may_hide:
        yield f"{who}: refused, but the matrix allows it"
    if not may and status != 403:
        yield f"{who}: {status}, but the matrix refuses it"


def asked_in_code() -> set[str]:
    """Every act a view, action, model or command names."""
    found = set()
    for folder in ("registry", "followup", "config"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.name == "policy.py" or "migrations" in file.parts or "demo" in file.parts:
                continue
            found |= {
                node.value
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return {word for text in found for word in text.split()}


def test_each_act_is_asked_for_somewhere() -> None:
    """A row nobody asks would promise what nothing keeps."""
    asked = asked_in_code()
    idle = [
        act for act in policy.ACTS if act not in asked and not (act.startswith("import.") and BY_ACT[act])
    ]
    assert idle == []


# Columns and roles -------------------------------------------------------------------------------------------


def test_blinding_only_takes_away_except_what_exists_for_it() -> None:
    order = ["none", policy.OWN, policy.ALL]
    wider = {
        act
        for act in policy.ACTS
        for role in policy.ROLES
        if order.index(policy.scope_of(role, act, blinded=True)) > order.index(policy.scope_of(role, act))
    }
    assert wider == {
        "infusions.order", "import.infusions", "unblinding.emergency", "unblinding.view", "labs.masked",
        "reports.make_closed", "reports.view_closed",
    }  # fmt: skip


def test_in_a_blinded_protocol_one_role_reads_what_is_masked_and_one_the_closed_report() -> None:
    for act, only in (
        ("labs.masked", "laboratory"),
        ("reports.make_closed", "safety"),
        ("reports.view_closed", "safety"),
        ("reports.sign", "safety"),
    ):
        holders = {role for role in policy.ROLES if policy.scope_of(role, act, blinded=True) != "none"}
        assert holders == {only}, act


def test_in_a_blinded_protocol_product_staff_alone_read_and_enter_what_was_given() -> None:
    for act in (
        "cells.view",
        "cells.record",
        "cells.release",
        "infusions.product",
        "import.lots",
        "import.infusions",
    ):
        holders = {role for role in policy.ROLES if policy.scope_of(role, act, blinded=True) != "none"}
        assert holders == {"product"}, act


CLINICAL_ROOMS = (
    "patients", "identifiers", "consent", "cells", "infusions", "visits", "labs", "treatment", "events", "neoplasia",
    "queries", "worklist", "reports", "export", "people", "records", "unblinding",
)  # fmt: skip


def test_administrators_have_no_clinical_act() -> None:
    for act in policy.ACTS:
        if act.partition(".")[0] in CLINICAL_ROOMS:
            assert policy.scope_of("administrator", act) == "none", act


def test_no_page_of_an_administrator_shows_a_patient(world: World) -> None:
    """Whatever opens for them names nobody, but for the number of whom they are asked to erase."""
    admin, place = world.own["administrator"], place_of(world, world.riverside, world.patient)
    fill(place)
    opened = 0
    for name, case in CASES.items():
        got = answer(User.objects.get(pk=admin.pk), reverse(name, kwargs=case.kwargs(place)))
        if got.status_code == 200 and not got.streaming and not name.startswith("patients:erasure"):
            opened += 1
            assert world.patient.patient_id not in got.content.decode(), name
    assert opened >= 8


def test_auditors_write_nothing() -> None:
    writing = (
        "record",
        "edit",
        "enrol",
        "order",
        "release",
        "close",
        "answer",
        "excuse",
        "assess",
        "correct",
        "approve",
    )
    held = [act for act in policy.ACTS if policy.scope_of("auditor", act) != "none"]
    assert [act for act in held if act.partition(".")[2] in writing or act.startswith("import.")] == []


# Grants ------------------------------------------------------------------------------------------------------


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(User.objects.get(pk=user.pk), backend=BACKEND)
    return browser


@pytest.mark.parametrize("role", ["site_manager", "coordinator", "administrator"])
def test_nobody_asks_for_a_role_of_their_own(role: str, world: World) -> None:
    user = world.own[role]
    wish = {
        "role": "monitor", "site": str(world.riverside.pk), "starts_on": "2031-03-14", "ends_on": "2031-04-14",
        "reason": "For me", "form_token": "own",
    }  # fmt: skip
    got = browser_of(user).post(reverse("access:user_detail", args=[user.pk]), wish)
    assert "own rights" in got.content.decode()
    assert not RoleRequest.objects.exists()
    assert set(RoleGrant.objects.filter(user=user).values_list("role", flat=True)) == {role}


def test_the_site_of_django_is_not_mounted() -> None:
    for path in ("/admin/", "/admin/login/", "/django-admin/"):
        with pytest.raises(Resolver404):
            resolve(path)
    assert "django.contrib.admin" not in settings.INSTALLED_APPS


def test_a_grant_that_ends_today_is_over_tomorrow_in_the_same_session(world: World) -> None:
    nurse, url = world.own["nurse"], reverse("desk:today")
    RoleGrant.objects.filter(user=nurse).update(ends_on=NOW.date())
    browser = browser_of(nurse)
    with clock.set_to(NOW):
        assert browser.get(url).status_code == 200
    RoleGrant.objects.filter(user=nurse).update(
        starts_on=date(2020, 1, 1), ends_on=NOW.date() - timedelta(days=1)
    )
    with clock.set_to(NOW):
        assert browser.get(url).status_code == 403


def test_a_role_at_no_site_shows_nothing(world: World) -> None:
    """An own-site role without a site is an empty scope, not every site."""
    nobody = person("nowhere", "nurse", None)
    for name in ("patients:patient_list", "desk:today", "exchange:export_list", "patients:query_list"):
        assert answer(nobody, reverse(name)).status_code == 403, name
    assert not nobody.scope("patients.view")


def test_an_investigator_still_exports_the_own_site_with_the_coordinator_gone(world: World) -> None:
    User.objects.filter(pk=world.own["coordinator"].pk).update(is_active=False)
    RoleGrant.objects.filter(role__in=("coordinator", "administrator", "safety")).update(stopped_at=NOW)
    browser = browser_of(world.own["investigator"])
    browser.post(reverse("exchange:export_list"), {"site": world.riverside.pk, "form_token": "x"})
    work_waiting()
    run = ExportRun.objects.get()
    assert run.state == ExportRun.State.DONE, run.message
    got = browser.get(reverse("exchange:export_download", args=[run.pk]))
    assert got.status_code == 200
    assert b"patients.csv" in b"".join(got.streaming_content)


def test_an_inspector_reads_everything_until_the_last_day(world: World) -> None:
    inspector = person("inspector", "auditor", None)
    RoleGrant.objects.filter(user=inspector).update(ends_on=NOW.date())
    url = reverse("desk:patient_record", args=[world.patient.patient_id])
    with clock.set_to(NOW):
        assert browser_of(inspector).get(url).status_code == 200
    with clock.set_to(NOW + timedelta(days=1)):
        assert browser_of(inspector).get(url).status_code == 403
