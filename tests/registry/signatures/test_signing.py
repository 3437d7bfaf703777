"""Who may sign, how identity is asked again, and that nothing else is ever stored as a signature (C3: 0 accepted)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.test import Client

from followup.neoplasia.actions import assess_neoplasm
from followup.safety.models import AdverseEvent
from registry.access.models import RoleGrant, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.saving import ChangedMeanwhile, NotAccepted, new_token
from registry.signatures.actions import sign
from registry.signatures.models import Meaning, Signature
from registry.signatures.sealing import problems
from registry.signatures.signable import content_of
from registry.signatures.states import standing_of
from tests.cast import NOW, PASSWORD, person
from tests.registry.signatures.records import MAKERS, a_person, an_event, signed

Post = Callable[..., Any]


@pytest.fixture
def event(riverside: Any, ines: User) -> AdverseEvent:
    return an_event(riverside, ines)


def address(row: models.Model) -> str:
    return f"/signatures/{row._meta.label_lower}/{row.pk}/sign/"


def form_of(browser: Client, row: models.Model) -> dict[str, str]:
    """The hidden fields of the page as opened, with what a person then types."""
    page = browser.get(address(row)).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(signer|digest|form_token)" value="([^"]*)"', page))
    assert hidden.keys() == {"signer", "digest", "form_token"}
    return {**hidden, "meaning": "review", "password": PASSWORD}


def refused(browser: Client, row: models.Model, form: dict[str, str]) -> str:
    """The page that says why; nothing is stored."""
    before = Signature.objects.count()
    answer = browser.post(address(row), form)
    assert Signature.objects.count() == before
    return answer.content.decode()


# Signing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", sorted(MAKERS))
def test_each_kind_of_record_is_signed_from_its_page(
    label: str, riverside: Any, ines: User, sami: User, signed_in: Any
) -> None:
    row = MAKERS[label](riverside, ines)
    browser = signed_in(sami if label == "reports.reportrun" else ines)
    answer = browser.post(address(row), form_of(browser, row), follow=True)
    made = Signature.objects.get()
    assert (made.printed_name, made.role, made.meaning) == (
        ("Sami", "Safety officer", "review")
        if label == "reports.reportrun"
        else ("Ines", "Investigator", "review")
    )
    assert made.content == content_of(row).text
    assert standing_of(row).word == "signed"
    page = answer.content.decode()
    assert f'{made.printed_name}<br><small class="muted">{made.role}' in page
    assert "<strong>Review</strong>" in page
    assert " UTC" in page
    assert (
        AuditEntry.objects.filter(action="signed", table_name=row._meta.db_table, row_id=str(row.pk)).count()
        == 1
    )
    shown = browser.get(f"/signatures/{made.pk}/").content.decode()
    assert made.content_sha256 in shown


def test_the_content_kept_names_nobody(riverside: Any, ines: User, nora: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    content = content_of(visit).text
    assert "Ines" not in content
    assert visit.patient.patient_id not in content


def test_a_form_sent_twice_is_one_signature(event: AdverseEvent, ines: User, signed_in: Any) -> None:
    browser = signed_in(ines)
    form = form_of(browser, event)
    assert [browser.post(address(event), form).status_code for _ in range(2)] == [302, 302]
    assert Signature.objects.count() == 1


def test_the_same_content_is_not_signed_twice_with_one_meaning(
    event: AdverseEvent, ines: User, signed_in: Any
) -> None:
    signed(event, ines)
    browser = signed_in(ines)
    assert "signed this with this meaning already" in refused(browser, event, form_of(browser, event))
    assert browser.post(address(event), form_of(browser, event) | {"meaning": "approval"}).status_code == 302


# What is refused ---------------------------------------------------------------------------------------------


def test_a_wrong_password(event: AdverseEvent, ines: User, signed_in: Any) -> None:
    browser = signed_in(ines)
    for password in ("wrong-horse-battery", "", PASSWORD.upper(), f"{PASSWORD} "):
        page = refused(browser, event, form_of(browser, event) | {"password": password})
        assert "not your password" in page or "Type your password" in page
        assert f'value="{password}"' not in page or not password


def test_the_password_of_another_person(
    event: AdverseEvent, ines: User, riverside: Any, signed_in: Any
) -> None:
    other = person("ivan", "investigator", riverside)
    other.set_password("another-good-password")
    other.save()
    browser = signed_in(ines)
    refused(browser, event, form_of(browser, event) | {"password": "another-good-password"})


def test_a_page_opened_by_another_person(
    event: AdverseEvent, ines: User, riverside: Any, signed_in: Any
) -> None:
    opened = form_of(signed_in(ines), event)
    second = signed_in(person("ivan", "investigator", riverside))
    assert "opened by somebody else" in refused(second, event, opened)


def test_a_session_that_ended(event: AdverseEvent, ines: User, signed_in: Any) -> None:
    browser = signed_in(ines)
    form = form_of(browser, event)
    browser.logout()
    answer = browser.post(address(event), form)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")
    assert not Signature.objects.exists()


@pytest.mark.parametrize("meaning", ["", "witness", "review;approval", "Review"])
def test_a_signature_without_a_meaning_of_the_list(
    meaning: str, event: AdverseEvent, ines: User, signed_in: Any
) -> None:
    browser = signed_in(ines)
    refused(browser, event, form_of(browser, event) | {"meaning": meaning})
    with acting_as(ines), pytest.raises(NotAccepted):
        sign(row=event, meaning=meaning, digest=content_of(event).sha256, form_token="x", by=ines, now=NOW)


def test_no_meaning_is_chosen_for_the_person(event: AdverseEvent, ines: User, signed_in: Any) -> None:
    page = signed_in(ines).get(address(event)).content.decode()
    assert page.count('type="radio"') == 4
    assert "checked" not in page


def test_a_record_edited_after_it_was_opened(event: AdverseEvent, ines: User, signed_in: Any) -> None:
    browser = signed_in(ines)
    form = form_of(browser, event)
    AdverseEvent.objects.filter(pk=event.pk).update(term="Chills")
    page = refused(browser, event, form)
    assert "changed since you opened it" in page
    assert "Chills" in page
    answer = browser.post(address(event), form_of(browser, event))
    assert answer.status_code == 302


def test_a_form_sent_again_after_the_record_was_changed(
    event: AdverseEvent, ines: User, signed_in: Any
) -> None:
    browser = signed_in(ines)
    form = form_of(browser, event)
    browser.post(address(event), form)
    AdverseEvent.objects.filter(pk=event.pk).update(term="Chills")
    assert "used already" in refused(browser, event, form)
    again = form | {"digest": content_of(event).sha256}
    assert "used already" in refused(browser, event, again)
    assert "used already" in refused(browser, event, again | {"meaning": "approval"})


def test_a_token_of_another_record(event: AdverseEvent, riverside: Any, ines: User, signed_in: Any) -> None:
    browser = signed_in(ines)
    used = form_of(browser, event)
    browser.post(address(event), used)
    case = MAKERS["neoplasia.neoplasm"](riverside, ines)
    assert "used already" in refused(
        browser, case, form_of(browser, case) | {"form_token": used["form_token"]}
    )


def test_a_right_that_ended_between_opening_and_sending(
    event: AdverseEvent, ines: User, signed_in: Any
) -> None:
    browser = signed_in(ines)
    form = form_of(browser, event)
    RoleGrant.objects.filter(user=ines).update(ends_on=NOW.date().replace(year=2021))
    assert browser.post(address(event), form).status_code in (302, 403)
    assert not Signature.objects.exists()


@pytest.mark.parametrize("role", ["nurse", "data_entry", "laboratory", "site_manager", "monitor", "product"])
def test_roles_that_do_not_sign(role: str, event: AdverseEvent, riverside: Any, signed_in: Any) -> None:
    user = person("other", role, riverside)
    token, digest = new_token(), content_of(event).sha256
    answer = signed_in(user).post(
        address(event),
        {
            "signer": str(user.pk),
            "digest": digest,
            "form_token": token,
            "meaning": "review",
            "password": PASSWORD,
        },
    )
    assert answer.status_code == 403
    with acting_as(user), pytest.raises(PermissionDenied):
        sign(row=event, meaning="review", digest=digest, form_token=token, by=user, now=NOW)
    assert not Signature.objects.exists()


def test_an_investigator_of_another_site_and_a_report_of_all_sites(
    event: AdverseEvent, riverside: Any, harbour: Any, ines: User, sami: User, signed_in: Any
) -> None:
    far = person("hugo", "investigator", harbour)
    assert signed_in(far).get(address(event)).status_code == 404
    run = MAKERS["reports.reportrun"](riverside, sami)
    assert signed_in(ines).get(address(run)).status_code == 403
    local = person("sol", "safety", riverside)
    with acting_as(local), pytest.raises(PermissionDenied):
        sign(row=run, meaning="review", digest=content_of(run).sha256, form_token="x", by=local, now=NOW)


@pytest.mark.parametrize("actor", ["system:worker", "system:command"])
def test_the_registry_itself_never_signs(actor: str, event: AdverseEvent, ines: User) -> None:
    with acting_as(actor), pytest.raises(PermissionDenied):
        sign(row=event, meaning="review", digest=content_of(event).sha256, form_token="x", by=ines, now=NOW)


def test_the_safety_officers_assessment_leaves_the_signed_outcome_as_it_is(
    riverside: Any, ines: User, sami: User
) -> None:
    case = MAKERS["neoplasia.neoplasm"](riverside, ines)
    signed = content_of(case).sha256
    verdict = {
        "relatedness_cells": "unlikely",
        "relatedness_procedure": "unlikely",
        "expectedness": "unexpected",
    }
    assess_neoplasm(case=case, verdict=verdict, version=case.version, reason="Adenoma", by=sami, now=NOW)
    assert content_of(case).sha256 == signed


def test_what_is_not_finished_is_not_signed(riverside: Any, ines: User, sami: User, signed_in: Any) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    type(visit).objects.filter(pk=visit.pk).update(state="planned")
    case = MAKERS["neoplasia.neoplasm"](riverside, ines)
    type(case).objects.filter(pk=case.pk).update(status="under_work_up")
    for row in (visit, case):
        answer = signed_in(ines).get(address(row), follow=True)
        assert "signed once" in answer.content.decode()
        with acting_as(ines), pytest.raises(NotAccepted):
            sign(row=row, meaning="review", digest=content_of(row).sha256, form_token="x", by=ines, now=NOW)


def test_a_digest_of_something_else(event: AdverseEvent, ines: User) -> None:
    with acting_as(ines), pytest.raises(ChangedMeanwhile):
        sign(row=event, meaning="review", digest="0" * 64, form_token="x", by=ines, now=NOW)


# Rows by SQL -------------------------------------------------------------------------------------------------


def copied(signature: Signature, **other: Any) -> Signature:
    """What somebody with the database in their hands would insert."""
    copy = Signature.objects.get(pk=signature.pk)
    copy.pk = None
    for name, value in ({"form_token": new_token()} | other).items():
        setattr(copy, name, value)
    copy.save(force_insert=True)
    return copy


def test_a_copied_row_proves_nothing(event: AdverseEvent, riverside: Any, ines: User, signed_in: Any) -> None:
    signature = signed(event, ines)
    assert list(problems()) == []
    other = AdverseEvent.objects.create(
        patient=a_person(riverside), site=riverside, term="Cough", onset_date="2030-05-02"
    )
    ivan = person("ivan", "investigator", riverside)
    forged = [
        copied(signature, row_pk=other.pk),
        copied(signature, row_pk=other.pk, nth=2, content=content_of(other).text,
               content_sha256=content_of(other).sha256),
        copied(signature, signer=ivan, printed_name="Ivan"),
        copied(signature, meaning=Meaning.APPROVAL),
        copied(signature, nth=2),
        copied(signature, nth=3, signed_at=signature.signed_at - timedelta(days=1)),
        copied(signature, nth=4, role="Safety officer"),
    ]  # fmt: skip
    assert [broken.where.split(" ")[1] for broken in problems()] == [str(one.pk) for one in forged]
    assert standing_of(other).valid == []
    assert {state.signature.pk for state in standing_of(event).valid} == {signature.pk}
    page = signed_in(ines).get(f"/safety/events/{other.pk}/").content.decode()
    assert "Signature broken" in page


@pytest.mark.parametrize("change", ["UPDATE {} SET meaning = 'approval'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_or_remove_a_signature(
    change: str, event: AdverseEvent, ines: User
) -> None:
    signed(event, ines)
    with (
        pytest.raises(DatabaseError, match="neither changed nor removed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format("signatures_signature"))
    assert Signature.objects.get().meaning == "review"


def test_signature_has_a_meaning(event: AdverseEvent, ines: User) -> None:
    signature = signed(event, ines)
    with pytest.raises(IntegrityError, match="signature_has_a_meaning"), transaction.atomic():
        copied(signature, nth=2, meaning="witness")


def test_signature_says_who_and_what(event: AdverseEvent, ines: User) -> None:
    signature = signed(event, ines)
    with pytest.raises(IntegrityError, match="signature_says_who_and_what"), transaction.atomic():
        copied(signature, nth=2, printed_name="")


def test_signature_is_counted_once(event: AdverseEvent, ines: User) -> None:
    signature = signed(event, ines)
    with pytest.raises(IntegrityError), transaction.atomic():
        copied(signature)


def test_one_signature_per_form(event: AdverseEvent, ines: User) -> None:
    signature = signed(event, ines)
    with pytest.raises(IntegrityError), transaction.atomic():
        copied(signature, nth=2, form_token=signature.form_token)


def test_the_command_names_what_was_copied(event: AdverseEvent, ines: User, capsys: Any) -> None:
    from django.core.management import call_command

    signature = signed(event, ines)
    call_command("signatures_verify")
    assert "1 signatures: whole" in capsys.readouterr().out
    forged = copied(signature, nth=2)
    with pytest.raises(SystemExit) as ended:
        call_command("signatures_verify")
    assert ended.value.code == 1
    assert f"signature {forged.pk} (safety.adverseevent {event.pk}): copied" in capsys.readouterr().out
