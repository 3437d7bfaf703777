"""Accounts take two people, nobody changes their own rights, and a name is never used twice."""

import io
import json
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from registry import clock
from registry.access import actions
from registry.access.actions import Refused
from registry.access.models import AccountRequest, Registry, RoleGrant, Site, User
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, person

STRONG = "violet-anvil-teapot-93"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))

    return type_in


def create(name: str, role: str, **options: str) -> str:
    out = io.StringIO()
    call_command("create_user", name, role=role, password_stdin=True, stdout=out, **options)
    return out.getvalue()


def ask(by: User | None, **changes: object) -> AccountRequest:
    facts = {
        "username": "Petra", "full_name": "Petra Holm", "email": "", "role": "nurse", "password": STRONG,
        "site": Site.objects.filter(code="RIV").first(), "by": by, "now": NOW,
    }  # fmt: skip
    return actions.request_account(**facts | changes)


@pytest.mark.django_db
def test_the_first_account_is_an_administrator_and_the_second_waits(typed) -> None:
    typed(STRONG)
    with pytest.raises(CommandError) as refused:
        create("ada", "nurse", site="")
    assert refused.value.returncode == 1
    typed(STRONG)
    assert "first administrator" in create("Ada", "administrator")
    ada = User.objects.get(username="ada")
    assert ada.check_password(STRONG)
    assert ada.may("settings.accounts")
    typed(STRONG)
    create("bo", "administrator")
    assert not User.objects.filter(username="bo").exists()
    assert AccountRequest.objects.get().decision == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("password", "options", "code"),
    [("short", {}, 1), ("", {}, 2), (STRONG, {"site": "NIX"}, 2), ("password1234", {}, 1)],
)
def test_bad_accounts_leave_with_the_right_exit_code(typed, password, options, code) -> None:
    typed(password)
    with pytest.raises(CommandError) as refused:
        create("ada", "administrator", **options)
    assert refused.value.returncode == code
    assert not User.objects.exists()


def test_a_coordinator_opens_clinical_accounts_and_never_their_own_request(
    adam: User, cora: User, riverside: Site
) -> None:
    request = ask(cora)
    with pytest.raises(Refused, match="somebody else decides"):
        actions.open_account(request=request, by=cora, now=NOW)
    with pytest.raises(Refused, match="A coordinator decides"):
        actions.open_account(request=request, by=adam, now=NOW)
    carl = person("carl", "coordinator", None)
    petra = actions.open_account(request=request, by=carl, now=NOW)
    assert RoleGrant.objects.get(user=petra).ends_on == date(2032, 3, 14)
    with clock.set_to(NOW):
        assert petra.may("visits.record", riverside)
    assert petra.check_password(STRONG)
    with pytest.raises(ChangedMeanwhile, match="decided already"):
        actions.refuse_account(request=request, by=carl, now=NOW)


def test_a_refused_request_opens_nothing_and_frees_the_name(adam: User, riverside: Site) -> None:
    actions.refuse_account(request=ask(None), by=adam, now=NOW)
    assert not User.objects.filter(username="petra").exists()
    assert ask(None).username == "petra"


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "ADAM"},
        {"username": "a b"},
        {"role": "coordinator"},
        {"site": None},
        {"password": "petra"},
    ],
)
def test_unusable_requests_are_refused(adam: User, riverside: Site, changes: dict[str, object]) -> None:
    with pytest.raises(Refused):
        ask(adam, **changes)


def test_who_may_not_approve_decides_on_no_account(nora: User, riverside: Site) -> None:
    request = ask(None)
    with pytest.raises(Refused, match="decides on an account"):
        actions.open_account(request=request, by=nora, now=NOW)
    with pytest.raises(PermissionDenied):
        ask(nora, username="other")


def test_a_site_manager_asks_for_their_own_site_only(riverside: Site, harbour: Site) -> None:
    mia = person("mia", "site_manager", riverside)
    assert ask(mia).requested_by == mia
    with pytest.raises(PermissionDenied):
        ask(mia, username="other", site=harbour)
    with pytest.raises(Refused, match="your own site"):
        ask(mia, username="other", role="safety", site=None)


@pytest.mark.django_db
def test_when_no_administrator_is_in_force_the_server_makes_one_again(typed, adam: User) -> None:
    typed(STRONG)
    create("bea", "administrator")
    assert not User.objects.filter(username="bea").exists(), "one is in force, so a second person decides"
    RoleGrant.objects.filter(user=adam).update(ends_on=date(2021, 1, 1))
    typed(STRONG)
    assert "first administrator" in create("zoe", "administrator")
    assert User.objects.get(username="zoe").may("settings.accounts")


def test_an_account_switched_off_may_nothing(adam: User, nora: User) -> None:
    actions.set_active(user=nora, active=False, reason="Left", by=adam)
    assert not User.objects.get(pk=nora.pk).may("patients.view")


def test_a_site_is_saved_from_its_newest_version_only(adam: User, riverside: Site) -> None:
    actions.update_site(site=riverside, version=1, reason="Renamed", by=adam, name="Riverside Hospital")
    with pytest.raises(ChangedMeanwhile):
        actions.update_site(site=riverside, version=1, reason="Renamed", by=adam, name="Other")


@pytest.mark.django_db
def test_the_matrix_is_printed_cell_by_cell() -> None:
    out = io.StringIO()
    call_command("access_matrix", json=True, stdout=out)
    cells = {(cell["act"], cell["role"]): cell for cell in json.loads(out.getvalue())}
    assert cells[("infusions.order", "investigator")]["scope"] == "own_site"
    assert cells[("patients.view", "administrator")] == {
        "act": "patients.view", "role": "administrator", "scope": "none", "blinded": "none",
    }  # fmt: skip


@pytest.mark.django_db
def test_only_an_empty_registry_becomes_a_test_registry() -> None:
    call_command("mark_test", stdout=io.StringIO())
    call_command("mark_test", stdout=io.StringIO())
    assert Registry.current().kind == "test"


def test_a_registry_that_holds_something_stays_live(riverside: Site) -> None:
    with pytest.raises(CommandError, match="empty"):
        call_command("mark_test", stdout=io.StringIO())
    assert Registry.current().kind == "live"
