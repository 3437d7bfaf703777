"""The settings pages: everybody reads the rights; roles take two people, never one's own."""

import pytest
from django.test import Client
from django.utils.html import escape

from registry import clock
from registry.access import policy
from registry.access.models import AccountRequest, Registry, RoleGrant, RoleRequest, Site, User
from registry.audit.models import AuditEntry
from registry.patients.models import Patient
from tests.cast import person

STRONG = "violet-anvil-teapot-93"


def text(browser: Client, url: str, **post: str) -> str:
    got = browser.post(url, post, follow=True) if post else browser.get(url)
    return got.content.decode()


@pytest.fixture
def eve(acting: None) -> User:
    return person("eve", "administrator", None)


def test_everybody_reads_the_table_the_code_asks(nora, paul, sami, cora, adam, signed_in) -> None:
    for user in (nora, paul, sami, cora, adam):
        page = text(signed_in(user), "/settings/")
        assert all(escape(act.label) in page for act in policy.ACTS.values())
    assert "Research nurse, Riverside" in text(signed_in(nora), "/settings/account/")


def test_an_administrator_adds_and_changes_a_site(adam: User, riverside: Site, signed_in) -> None:
    browser = signed_in(adam)
    facts = {
        "name": "Hill",
        "country": "GB",
        "time_zone": "Europe/London",
        "closed_weekdays": "6,7",
        "idle_minutes": "15",
    }
    text(browser, "/settings/sites/new/", code="HIL", form_token="hill", **facts)
    assert Site.objects.filter(code="HIL").exists()
    assert "not a time zone" in text(
        browser, "/settings/sites/new/", code="X", **facts | {"time_zone": "Mars"}
    )
    url = f"/settings/sites/{riverside.pk}/"
    text(browser, url, **facts, version="1", reason="Renamed")
    assert "Somebody else saved this record" in text(
        browser, url, **facts | {"name": "Late"}, version="1", reason="x"
    )
    riverside.refresh_from_db()
    assert riverside.name == "Hill"


def test_an_account_needs_a_second_person(
    adam: User, eve: User, riverside: Site, signed_in
) -> None:  # no coordinator yet
    asked = {
        "username": "petra",
        "full_name": "Petra Holm",
        "role": "nurse",
        "site": str(riverside.pk),
        "form_token": "p",
    }
    assert "too weak" in text(signed_in(adam), "/settings/requests/new/", **asked, password="petra")
    text(signed_in(adam), "/settings/requests/new/", **asked, password=STRONG)
    text(signed_in(adam), "/settings/requests/new/", **asked, password=STRONG)
    request = AccountRequest.objects.get()
    assert "who did not ask decides" in text(signed_in(adam), "/settings/requests/")
    assert "1 request for a role or an account waits" in text(signed_in(eve), "/settings/account/")
    assert "somebody else decides" in text(signed_in(adam), f"/settings/requests/{request.pk}/open/", go="1")
    text(signed_in(eve), f"/settings/requests/{request.pk}/open/", go="1")
    assert User.objects.get(username="petra").check_password(STRONG)


def test_a_refused_request_opens_nothing(adam: User, signed_in, riverside: Site, eve: User) -> None:
    asked = {
        "username": "petra",
        "full_name": "P",
        "role": "nurse",
        "site": str(riverside.pk),
        "password": STRONG,
        "form_token": "petra",
    }
    text(signed_in(adam), "/settings/requests/new/", **asked)
    text(signed_in(eve), f"/settings/requests/{AccountRequest.objects.get().pk}/refuse/", go="1")
    assert not User.objects.filter(username="petra").exists()


def test_a_role_is_asked_for_approved_by_a_second_person_and_ended(
    cora: User, nora: User, riverside: Site, signed_in
) -> None:
    carl = person("carl", "coordinator", None)
    url, today = f"/settings/accounts/{nora.pk}/", clock.now().date()
    wish = {
        "role": "investigator", "site": str(riverside.pk), "starts_on": f"{today}", "ends_on": f"{today}",
        "reason": "Locum", "form_token": "t",
    }  # fmt: skip
    assert "This field is required" in text(signed_in(cora), url, **wish | {"ends_on": ""})
    assert "waits under Settings" in text(signed_in(cora), url, **wish)
    asked = RoleRequest.objects.get()
    assert not RoleGrant.objects.filter(role="investigator").exists()
    assert "waits for a decision" in text(signed_in(cora), "/settings/roles/requests/")
    assert "in force" in text(signed_in(carl), f"/settings/roles/requests/{asked.pk}/approve/", reason="")
    granted = RoleGrant.objects.get(role="investigator")
    assert granted.granted_by == carl
    text(
        signed_in(cora),
        f"/settings/roles/{granted.pk}/end/",
        last_day=f"{today}",
        reason="Over",
        at_once="on",
        version="1",
    )
    granted.refresh_from_db()
    assert granted.stopped_at is not None
    own = RoleGrant.objects.get(user=cora)
    assert "own rights" in text(
        signed_in(cora), f"/settings/roles/{own.pk}/end/", last_day=f"{today}", reason="x", version="1"
    )


def test_what_the_asker_approves_alone_waits_and_can_be_stopped(
    cora: User, nora: User, riverside: Site, signed_in
) -> None:
    carl, today = person("carl", "coordinator", None), clock.now().date()
    wish = {
        "role": "monitor", "site": str(riverside.pk), "starts_on": f"{today}", "ends_on": f"{today}", "reason": "Visit",
        "form_token": "t",
    }  # fmt: skip
    text(signed_in(cora), f"/settings/accounts/{nora.pk}/", **wish)
    approve = f"/settings/roles/requests/{RoleRequest.objects.get().pk}/approve/"
    assert "write why nobody else" in text(signed_in(cora), approve, reason="")
    assert "UTC" in text(signed_in(cora), approve, reason="The other coordinator is away")
    assert "approved by the asker, waits" in text(signed_in(carl), "/settings/roles/requests/")
    refuse = approve.replace("approve", "refuse")
    assert "stopped" in text(signed_in(carl), refuse, reason="Not needed")
    assert "Stop" not in text(signed_in(carl), "/settings/roles/requests/").partition("<table")[2].replace(
        "stopped", ""
    )


def test_roles_are_reviewed_each_quarter_by_somebody_else(cora: User, nora: User, signed_in) -> None:
    page = text(signed_in(cora), "/settings/roles/review/")
    assert "2 are overdue" in page
    assert "somebody else reviews yours" in page
    text(signed_in(cora), f"/settings/roles/{RoleGrant.objects.get(user=nora).pk}/confirm/", go="1")
    text(signed_in(cora), f"/settings/roles/{RoleGrant.objects.get(user=cora).pk}/confirm/", go="1")
    assert "1 is overdue" in text(signed_in(cora), "/settings/roles/review/")
    assert RoleGrant.objects.get(user=nora).reviewed_by == cora


def test_the_protocol_is_blinded_until_the_first_patient(cora: User, riverside: Site, signed_in) -> None:
    browser = signed_in(cora)
    assert "The protocol is open-label" in text(browser, "/settings/protocol/")
    assert "The protocol is blinded" in text(browser, "/settings/protocol/", reason="Trial ABC")
    assert "open-label: own site" in text(browser, "/settings/")
    Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=clock.now())
    assert "stays as it is" in text(browser, "/settings/protocol/", reason="Changed our mind")
    assert Registry.current().blinded
    assert AuditEntry.objects.filter(table_name="access_registry", reason="Trial ABC").exists()


def test_an_account_is_switched_off_with_a_reason(adam: User, nora: User, signed_in) -> None:
    url = f"/settings/accounts/{nora.pk}/active/"
    assert "give a reason" in text(signed_in(adam), url, reason="", active="no")
    text(signed_in(adam), url, reason="Left the clinic", active="no")
    nora.refresh_from_db()
    assert not nora.is_active
    assert "own rights" in text(
        signed_in(adam), f"/settings/accounts/{adam.pk}/active/", reason="x", active="no"
    )


def test_the_administrator_changes_how_long_approving_alone_waits(adam: User, cora: User, signed_in) -> None:
    browser, url = signed_in(adam), "/settings/approving-alone/"
    assert "What is approved alone waits 24 hours" in text(browser, url)
    assert signed_in(cora).get(url).status_code == 403
    assert url not in text(signed_in(cora), "/settings/")
    assert "greater than or equal to 12" in text(browser, url, hours="6", stood="24", reason="x")
    assert "waits 36 hours" in text(browser, url, hours="36", stood="24", reason="Fewer people in summer")
    late = browser.post(url, {"hours": "48", "stood": "24", "reason": "x"})
    assert late.status_code == 409
    assert "36 hours now" in late.content.decode()
    entry = AuditEntry.objects.get(action="self-approval delay changed")
    assert (entry.actor, entry.new, entry.reason) == ("adam", "24 to 36 hours", "Fewer people in summer")
    assert "waits 36 hours" in text(signed_in(cora), "/settings/protocol/")
    assert "it is in force 36 hours later" in text(signed_in(cora), "/settings/roles/requests/")
