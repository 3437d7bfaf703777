"""A record is unlocked by two coordinators, or by one after a delay in which anybody who may unlock can stop it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from followup.labs.actions import Entry, correct_result
from followup.labs.models import LabResult
from followup.schedule.models import Visit, WorkItem
from registry.access.models import Registry, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.saving import ChangedMeanwhile, NotAccepted
from registry.signatures import locking
from registry.signatures.models import RecordLock, UnlockRequest
from registry.signatures.states import standing_of
from tests.cast import NOW
from tests.registry.signatures.lock_scene import unlock

HOURS = timedelta(hours=1)


def test_a_second_coordinator_unlocks(visit: Visit, cora: User, carl: User, nora: User) -> None:
    asked = unlock(RecordLock.objects.get(), cora)
    assert WorkItem.objects.open().filter(kind="unlock_request", role="coordinator").count() == 1
    with acting_as(carl):
        locking.approve_unlock(request=asked, reason="Agreed", by=carl, now=NOW)
    assert not WorkItem.objects.open().filter(kind="unlock_request").exists()
    assert standing_of(visit).word == "signed", "unlocking changes nothing that was signed"
    with acting_as(nora):
        correct_result(
            result=LabResult.objects.get(visit=visit), entry=Entry("weight", "82", "kg"), reason="Scales", version=1,
            by=nora, now=NOW,
        )  # fmt: skip
    assert standing_of(visit).word == "void"
    told = AuditEntry.objects.filter(action="unlocked").get()
    assert (told.actor, told.reason) == ("carl", "Agreed")


def test_alone_it_takes_a_reason_and_the_delay_in_which_another_can_stop_it(
    visit: Visit, cora: User, carl: User
) -> None:
    Registry.objects.update_or_create(pk=1, defaults={"self_approval_hours": 12})
    asked = unlock(RecordLock.objects.get(), cora)
    with acting_as(cora), pytest.raises(NotAccepted, match="nobody else"):
        locking.approve_unlock(request=asked, reason=" ", by=cora, now=NOW)
    with acting_as(cora):
        locking.approve_unlock(request=asked, reason="Only coordinator", by=cora, now=NOW)
    assert locking.settle_unlocks(now=NOW + 11 * HOURS) == 0
    with acting_as(carl):
        locking.refuse_unlock(request=asked, reason="Ask the site first", by=carl, now=NOW + 11 * HOURS)
    assert locking.settle_unlocks(now=NOW + 13 * HOURS) == 0
    again = unlock(RecordLock.objects.get(), cora, "again")
    with acting_as(cora):
        locking.approve_unlock(request=again, reason="Only coordinator", by=cora, now=NOW)
    assert WorkItem.objects.open().filter(kind="unlock_request").count() == 1
    assert locking.settle_unlocks(now=NOW + 12 * HOURS) == 1
    assert locking.settle_unlocks(now=NOW + 13 * HOURS) == 0
    assert RecordLock.objects.get().unlocked_at == NOW + 12 * HOURS
    assert not WorkItem.objects.open().filter(kind="unlock_request").exists()
    LabResult.objects.filter(visit=visit).update(comment="free again")


def test_the_database_keeps_that_alone_waits(visit: Visit, cora: User) -> None:
    asked = unlock(RecordLock.objects.get(), cora)
    with pytest.raises(IntegrityError, match="unlocking_alone_waits"), transaction.atomic():
        UnlockRequest.objects.filter(pk=asked.pk).update(decision="approved", decided_by=cora)


def test_one_request_at_a_time_and_it_can_be_taken_back(visit: Visit, cora: User, carl: User) -> None:
    lock = RecordLock.objects.get()
    asked = unlock(lock, cora)
    assert unlock(lock, cora).pk == asked.pk, "the same form twice"
    with pytest.raises(NotAccepted, match="asked for already"):
        unlock(lock, carl, "other")
    with acting_as(carl), pytest.raises(NotAccepted, match="Only the person who asked"):
        locking.take_back(request=asked, by=carl, now=NOW)
    with acting_as(cora):
        locking.take_back(request=asked, by=cora, now=NOW)
    with acting_as(carl), pytest.raises(ChangedMeanwhile, match="decided already"):
        locking.approve_unlock(request=asked, reason="", by=carl, now=NOW)


def test_the_list_is_where_coordinators_decide(
    visit: Visit, cora: User, carl: User, mia: User, signed_in: Any
) -> None:
    lock, first, second = RecordLock.objects.get(), signed_in(cora), signed_in(carl)
    assert "Nobody has asked to unlock a record." in first.get("/signatures/locks/").content.decode()
    url = f"/signatures/locks/{lock.pk}/unlock/"
    assert url in first.get(f"/visits/{visit.pk}/").content.decode()
    assert first.post(url, {"reason": "Weight read wrongly", "form_token": "f"}).status_code == 302
    asked = UnlockRequest.objects.get()
    page = second.get("/signatures/locks/").content.decode()
    assert "Weight read wrongly" in page
    assert "Approve alone" not in page
    assert "Approve alone" in first.get("/signatures/locks/").content.decode()
    shown = signed_in(mia).get("/signatures/locks/").content.decode()
    assert "Weight read wrongly" in shown
    assert "/approve/" not in shown
    assert signed_in(mia).post(f"/signatures/unlocking/{asked.pk}/approve/").status_code == 403
    assert second.post(f"/signatures/unlocking/{asked.pk}/approve/").status_code == 302
    lock.refresh_from_db()
    assert lock.unlocked_at is not None
    assert second.post(f"/signatures/unlocking/{asked.pk}/refuse/", {"reason": "x"}).status_code == 409
    assert "No record is locked." in second.get("/signatures/locks/").content.decode()


def test_a_request_on_today_leads_the_coordinator_there(
    visit: Visit, cora: User, carl: User, signed_in: Any
) -> None:
    unlock(RecordLock.objects.get(), cora)
    page = signed_in(carl).get("/today/").content.decode()
    assert "asks to unlock a visit" in page
    assert "/signatures/locks/" in page
