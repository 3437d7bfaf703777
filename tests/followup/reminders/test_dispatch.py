"""One message a person and day, without a word about anybody; what is uncertain is never sent again by itself."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from followup.reminders import actions, dispatch
from followup.reminders.actions import AlreadySettled, run_sweep, settle_as_sent, try_again
from followup.reminders.models import MailMessage, Reminder, SweepRun
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from tests.cast import NOW, TODAY, person
from tests.followup.reminders.scene import a_patient, a_visit, at, has_status, steps, sweep_on

DAY = timedelta(days=1)


# Messages ----------------------------------------------------------------------------------------------------

WORDS = {
    "entry", "entries", "is", "are", "waiting", "on", "your", "worklist", "sign", "in", "to", "see", "what", "do",
    "this", "message", "was", "sent", "automatically", "please", "not", "reply",
}  # fmt: skip


def test_a_message_has_one_recipient_and_says_nothing_about_anybody(riverside, nora, dele, hana, outbox):
    for number in range(3):
        a_visit(a_patient(riverside, number))
    sweep_on(TODAY)
    mails = outbox()
    assert sorted(str(mail["To"]) for mail in mails) == ["dele@example.org", "nora@example.org"]
    for mail in mails:
        assert mail["Cc"] is None
        assert mail["Bcc"] is None
        assert mail["Subject"] == "Your worklist"
        link = f"{settings.SITE_URL}/today/"
        text = mail.get_content()
        assert text.count("http") == text.count(link) == 1
        assert set(re.findall(r"[a-z]+", text.replace(link, "").lower())) <= WORDS
        assert re.findall(r"\d+", text.replace(link, "")) == ["3"]
    assert len({mail["Message-ID"] for mail in mails}) == 2
    assert set(Reminder.objects.values_list("state", flat=True)) == {"sent"}


def test_nobody_to_send_to_is_held_in_sight_until_there_is_somebody(visit, riverside, outbox):
    totals = sweep_on(TODAY)
    assert (totals.due, totals.held, totals.add_up) == (1, 1, True)
    assert steps(visit, is_open=True) == ["due"]
    person("nora", "nurse", riverside)
    assert (sweep_on(TODAY).sent, len(outbox())) == (1, 1)


def test_escalation_reaches_the_first_the_site_has(visit, nora, cora, outbox):
    sweep_on(TODAY + 130 * DAY)
    reminder = Reminder.objects.get()
    assert (reminder.step, reminder.recipient_kind) == ("escalated", "coordinator")
    assert [str(mail["To"]) for mail in outbox()] == ["cora@example.org"]


def test_what_is_raised_after_the_message_of_the_day_waits_for_tomorrows(riverside, nora, outbox):
    a_visit(a_patient(riverside))
    sweep_on(TODAY)
    a_visit(a_patient(riverside, 2))
    totals = sweep_on(TODAY)
    assert (totals.due, totals.sent, totals.waiting, totals.add_up) == (1, 1, 1, True)
    totals = sweep_on(TODAY + DAY)
    assert (totals.sent, totals.waiting, len(outbox())) == (2, 0, 2)


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def end_role(user: User) -> None:
    RoleGrant.objects.filter(user=user).update(ends_on=TODAY - DAY)


@pytest.mark.parametrize("leave", [deactivate, end_role])
def test_whoever_left_between_plan_and_sending_is_sent_nothing(visit, nora, outbox, monkeypatch, leave):
    monkeypatch.setattr(actions, "dispatch", lambda **_: 0)
    sweep_on(TODAY)
    monkeypatch.undo()
    assert MailMessage.objects.get().state == "planned"
    leave(nora)
    assert dispatch.dispatch(as_of=at(TODAY), clock=lambda: at(TODAY), by="system:worker") == 0
    assert MailMessage.objects.get().state == "cancelled"
    assert not outbox()
    assert sweep_on(TODAY).held == 1


def test_whoever_died_between_plan_and_sending_is_not_told_of(patient, visit, nora, outbox, monkeypatch):
    monkeypatch.setattr(actions, "dispatch", lambda **_: 0)
    sweep_on(TODAY)
    monkeypatch.undo()
    has_status(patient, "deceased", death_confirmed=True)
    assert dispatch.dispatch(as_of=at(TODAY), clock=lambda: at(TODAY), by="system:worker") == 0
    assert not outbox()


class BrokenPost(BaseEmailBackend):
    """Refuses whatever goes to Nora, like a mail server with one full mailbox."""

    def send_messages(self, email_messages):
        if email_messages[0].to == ["nora@example.org"]:
            raise OSError("mailbox of nora@example.org is full")
        return len(email_messages)


def test_a_poisoned_message_is_tried_five_times_parked_and_stops_nobody_else(
    visit, nora, dele, settings, outbox
):
    settings.EMAIL_BACKEND = f"{__name__}.BrokenPost"
    moment = at(TODAY)
    run_sweep(now=moment, as_of=moment)
    poisoned = MailMessage.objects.get(recipient=nora)
    assert (poisoned.state, poisoned.attempts, poisoned.error) == ("failed", 1, "OSError")
    assert MailMessage.objects.get(recipient=dele).state == "sent"
    assert Reminder.objects.get().state == "sent"  # one of the two was told
    tries = []
    for minutes in range(0, 200, 5):
        run_sweep(now=moment + timedelta(minutes=minutes, seconds=1), as_of=moment)
        poisoned.refresh_from_db()
        tries.append(poisoned.attempts)
    assert tries[:2] == [1, 2]
    assert (poisoned.attempts, poisoned.lease_until) == (5, None)
    assert tries.index(5) >= 14  # 5 + 10 + 20 + 40 minutes later


def test_a_parked_message_goes_out_when_somebody_tries_again(visit, nora, cora, settings, outbox):
    settings.EMAIL_BACKEND = f"{__name__}.BrokenPost"
    totals = sweep_on(TODAY)
    assert (totals.failed, totals.add_up) == (1, True)
    settings.EMAIL_BACKEND = "config.mail.FileSink"
    with acting_as(cora):
        try_again(message=MailMessage.objects.get(), reason="Server log", by=cora, now=NOW)
    assert sweep_on(TODAY).sent == 1
    (mail,) = outbox()
    assert mail["Message-ID"] == dispatch.message_id_of(MailMessage.objects.get().pk)


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


def test_killed_while_sending_is_uncertain_and_never_sent_again_by_itself(
    visit, nora, cora, outbox, monkeypatch
):
    def die(letter):
        raise Killed

    monkeypatch.setattr(dispatch.EmailMessage, "send", die)
    with pytest.raises(Killed):
        sweep_on(TODAY)
    monkeypatch.undo()
    assert MailMessage.objects.get().state == "attempting"
    for minutes in (1, 3, 60):
        totals = run_sweep(now=at(TODAY) + timedelta(minutes=minutes), as_of=at(TODAY))
    assert MailMessage.objects.get().state == "uncertain"
    assert (totals.uncertain, totals.due, totals.add_up) == (1, 1, True)
    assert not outbox()
    with acting_as(cora):
        settle_as_sent(message=MailMessage.objects.get(), reason="Server log", by=cora, now=NOW)
        with pytest.raises(AlreadySettled):
            try_again(message=MailMessage.objects.get(), reason="Server log", by=cora, now=NOW)
    assert Reminder.objects.get().state == "sent"


def test_killed_between_claim_and_sending_is_sent_by_the_next(visit, nora, outbox, monkeypatch):
    def die(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(dispatch, "_deliver", die)
    with pytest.raises(Killed):
        sweep_on(TODAY)
    monkeypatch.undo()
    assert MailMessage.objects.get().state == "claimed"
    run_sweep(now=at(TODAY) + timedelta(minutes=16), as_of=at(TODAY))
    assert len(outbox()) == 1


def test_one_site_with_something_wrong_does_not_silence_the_others(visit, harbour, nora, outbox):
    Site.objects.filter(pk=harbour.pk).update(time_zone="Nowhere/Atlantis")
    totals = sweep_on(TODAY)
    assert totals.problems == ["site HAR could not be swept"]
    assert len(outbox()) == 1
    assert SweepRun.objects.get().error
