"""Roles end within a year, sensitive ones need a second person or a delay, forbidden pairs and one's own are refused."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from registry import clock
from registry.access import actions, granting, policy
from registry.access.granting import Refused, Wanted
from registry.access.models import Registry, RoleGrant, RoleRequest, Site, User
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, TODAY, person

YEAR = date(2032, 3, 14)


def wish(user: User, role: str, site: Site | None, ends_on: date = YEAR) -> Wanted:
    return Wanted(user=user, role=role, site=site, starts_on=TODAY, ends_on=ends_on, reason="Locum")


def ask(wanted: Wanted, by: User, form: str = "t") -> RoleRequest:
    return granting.ask_for_role(wanted=wanted, form_token=form, by=by, now=NOW)


def may(user: User, act: str, after: timedelta = timedelta()) -> bool:
    with clock.set_to(NOW + after):
        return User.objects.get(pk=user.pk).may(act)


@pytest.fixture
def carl(acting: None) -> User:
    return person("carl", "coordinator", None)


def test_only_roles_that_neither_export_nor_decide_are_in_force_at_once() -> None:
    plain = {role for role in policy.ROLES if not policy.is_sensitive(role)}
    assert plain == {"data_entry", "nurse", "laboratory"}


def test_a_plain_role_of_a_coordinator_is_in_force_at_once(cora: User, mona: User, riverside: Site) -> None:
    assert ask(wish(mona, "nurse", riverside), cora).state_at(NOW) == "in_force"
    assert may(mona, "patients.enrol")
    assert ask(wish(mona, "nurse", riverside), cora).pk == RoleRequest.objects.get().pk, "the same form twice"


def test_a_sensitive_role_waits_for_a_second_person(
    cora: User, carl: User, nora: User, riverside: Site
) -> None:
    asked = ask(wish(nora, "investigator", riverside), cora)
    assert asked.state_at(NOW) == "asked"
    assert not may(nora, "infusions.order")
    granting.approve_role(request=asked, reason="", by=carl, now=NOW)
    assert may(nora, "infusions.order")
    with pytest.raises(ChangedMeanwhile, match="decided already"):
        granting.approve_role(request=asked, reason="", by=carl, now=NOW)


def test_alone_it_takes_a_reason_and_the_delay_of_the_registry(
    cora: User, nora: User, riverside: Site
) -> None:
    Registry.objects.create(self_approval_hours=6)
    asked = ask(wish(nora, "investigator", riverside), cora)
    with pytest.raises(Refused, match="write why"):
        granting.approve_role(request=asked, reason=" ", by=cora, now=NOW)
    granting.approve_role(request=asked, reason="One coordinator", by=cora, now=NOW)
    assert asked.state_at(NOW) == "approved"
    assert not may(nora, "infusions.order", timedelta(hours=5, minutes=59))
    assert may(nora, "infusions.order", timedelta(hours=6))


def test_within_the_delay_another_can_stop_it(cora: User, carl: User, nora: User, riverside: Site) -> None:
    asked = ask(wish(nora, "investigator", riverside), cora)
    granting.approve_role(request=asked, reason="Alone today", by=cora, now=NOW)
    granting.refuse_role(request=asked, reason="Not needed", by=carl, now=NOW + timedelta(hours=1))
    assert not may(nora, "infusions.order", timedelta(days=2))
    assert RoleRequest.objects.get().state_at(NOW) == "stopped"


def test_a_refused_or_withdrawn_request_gives_nothing(
    cora: User, carl: User, nora: User, riverside: Site
) -> None:
    asked = ask(wish(nora, "investigator", riverside), cora)
    with pytest.raises(Refused, match="Write why"):
        granting.refuse_role(request=asked, reason="", by=carl, now=NOW)
    granting.refuse_role(request=asked, reason="No", by=carl, now=NOW)
    again = ask(wish(nora, "investigator", riverside), cora, "u")
    with pytest.raises(Refused, match="who asked"):
        granting.take_back(request=again, by=carl, now=NOW)
    granting.take_back(request=again, by=cora, now=NOW)
    assert not RoleGrant.objects.filter(role="investigator").exists()


def test_nobody_asks_for_approves_reviews_or_ends_their_own(cora: User, carl: User, adam: User) -> None:
    with pytest.raises(Refused, match="own rights"):
        ask(wish(cora, "safety", None), cora)
    asked = ask(wish(cora, "safety", None), carl)
    with pytest.raises(Refused, match="own rights"):
        granting.approve_role(request=asked, reason="x", by=cora, now=NOW)
    own = RoleGrant.objects.get(user=cora)
    with pytest.raises(Refused, match="own rights"):
        granting.confirm_role(grant=own, by=cora, now=NOW)
    with pytest.raises(Refused, match="own rights"):
        granting.end_role(grant=own, last_day=TODAY, at_once=True, reason="x", by=cora, now=NOW)
    with pytest.raises(Refused, match="own rights"):
        actions.set_active(user=adam, active=False, reason="", by=adam)


def test_the_database_refuses_a_role_of_ones_own(cora: User, nora: User) -> None:
    facts = {"role": "safety", "starts_on": TODAY, "ends_on": YEAR, "asked_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleRequest.objects.create(user=cora, asked_by=cora, form_token="a", **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleRequest.objects.create(user=cora, asked_by=nora, decided_by=cora, form_token="b", **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=cora, role="safety", starts_on=TODAY, granted_by=cora)


@pytest.mark.parametrize(
    ("role", "decider"),
    [("nurse", "cora"), ("coordinator", "cora"), ("administrator", "adam"), ("auditor", "adam")],
)
def test_coordinators_decide_on_clinical_roles_and_administrators_on_technical_ones(
    role: str, decider: str, cora: User, adam: User
) -> None:
    found = {user.username for user in (cora, adam) if granting.may_approve(user, role, now=NOW)}
    assert found == {decider}


def test_without_a_coordinator_administrators_approve_clinical_roles(adam: User) -> None:
    assert granting.may_approve(adam, "coordinator", now=NOW)


def test_a_role_lasts_a_year_at_most(cora: User, nora: User, riverside: Site) -> None:
    with pytest.raises(Refused, match="a year at most: until 2032-03-14"):
        ask(wish(nora, "laboratory", riverside, ends_on=date(2032, 3, 15)), cora)
    assert granting.year_after(date(2028, 2, 29)) == date(2029, 2, 28)


def test_an_ended_role_and_a_stopped_one_give_nothing(cora: User, nora: User) -> None:
    grant = RoleGrant.objects.get(user=nora)
    granting.end_role(grant=grant, last_day=TODAY, at_once=False, reason="Leaves", by=cora, now=NOW)
    assert may(nora, "patients.view")
    assert not may(nora, "patients.view", timedelta(days=1))
    grant.refresh_from_db()
    granting.end_role(grant=grant, last_day=TODAY, at_once=True, reason="Left", by=cora, now=NOW)
    assert not may(nora, "patients.view")
    grant.version -= 1
    with pytest.raises(ChangedMeanwhile):
        granting.end_role(grant=grant, last_day=TODAY, at_once=True, reason="Left", by=cora, now=NOW)


def test_who_checks_others_does_nothing_else(adam: User, cora: User, nora: User, riverside: Site) -> None:
    with pytest.raises(Refused, match="no other role"):
        ask(wish(nora, "auditor", None), adam)
    with pytest.raises(Refused, match="no other role"):
        ask(wish(adam, "nurse", riverside), cora)


def test_in_a_blinded_protocol_who_knows_the_product_treats_nobody(
    cora: User, paul: User, nora: User, riverside: Site
) -> None:
    assert ask(wish(paul, "nurse", riverside), cora).decision == "approved", "open-label: both may be held"
    with pytest.raises(Refused, match="End one of the roles first of: Paul"):
        actions.switch_blinding(blinded=True, reason="Trial", by=cora, now=NOW)
    RoleGrant.objects.filter(user=paul, role="nurse").update(stopped_at=NOW)
    actions.switch_blinding(blinded=True, reason="Trial", by=cora, now=NOW)
    with pytest.raises(Refused, match="The protocol is blinded"):
        ask(wish(nora, "product", riverside), cora, "u")


def test_a_site_manager_asks_at_their_own_site_and_decides_on_nothing(
    riverside: Site, harbour: Site, nora: User, cora: User
) -> None:
    mia = person("mia", "site_manager", riverside)
    asked = ask(wish(nora, "laboratory", riverside), mia)
    assert asked.decision == ""
    with pytest.raises(Refused, match="a coordinator decides"):
        granting.approve_role(request=asked, reason="x", by=mia, now=NOW)
    with pytest.raises(PermissionDenied):
        ask(wish(nora, "laboratory", harbour), mia, "u")
    assert granting.requests_waiting_for(cora, now=NOW) == 1
    assert granting.requests_waiting_for(mia, now=NOW) == 0


def test_the_same_role_is_neither_asked_for_twice_nor_held_twice(
    cora: User, carl: User, nora: User, riverside: Site
) -> None:
    first = wish(nora, "investigator", riverside)
    asked = ask(first, cora)
    with pytest.raises(Refused, match="asked for already"):
        ask(first, carl, "u")
    granting.approve_role(request=asked, reason="", by=carl, now=NOW)
    with pytest.raises(Refused, match="holds this role there already"):
        ask(replace(first, ends_on=TODAY), cora, "v")


def test_a_review_is_due_ninety_days_after_the_last(cora: User, nora: User) -> None:
    grant = RoleGrant.objects.get(user=nora)
    assert granting.review_is_due_on(grant) == date(2020, 3, 31)
    granting.confirm_role(grant=grant, by=cora, now=NOW)
    grant.refresh_from_db()
    assert granting.review_is_due_on(grant) == date(2031, 6, 12)


# The delay itself --------------------------------------------------------------------------------------------


def test_the_delay_is_changed_with_a_reason_within_its_limits(adam: User, cora: User) -> None:
    given = {"stood": 24, "reason": "Two coordinators in two time zones", "now": NOW}
    for hours in (0, 11, 337):
        with pytest.raises(Refused, match="Between 12 and 336 hours"):
            actions.change_self_approval(hours=hours, by=adam, **given)
    with pytest.raises(Refused, match="Write why"):
        actions.change_self_approval(hours=48, by=adam, **given | {"reason": " "})
    with pytest.raises(PermissionDenied):
        actions.change_self_approval(hours=48, by=cora, **given)
    actions.change_self_approval(hours=48, by=adam, **given)
    with pytest.raises(ChangedMeanwhile, match="48 hours now"):
        actions.change_self_approval(hours=36, by=adam, **given)
    assert Registry.current().self_approval_hours == 48


def test_what_was_approved_alone_keeps_its_own_moment(
    adam: User, cora: User, nora: User, riverside: Site
) -> None:
    asked = ask(wish(nora, "investigator", riverside), cora)
    granting.approve_role(request=asked, reason="One coordinator", by=cora, now=NOW)
    actions.change_self_approval(hours=12, stood=24, reason="Too long", by=adam, now=NOW)
    assert not may(nora, "infusions.order", timedelta(hours=23))
    assert may(nora, "infusions.order", timedelta(hours=24))
