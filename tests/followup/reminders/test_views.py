"""Control totals in sight; stuck messages are settled by a person, once."""

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from followup.reminders.models import MailMessage, Notice, Reminder
from registry.audit.models import AuditEntry
from tests.cast import NOW, TODAY, person
from tests.followup.reminders.scene import a_patient, a_visit, sweep_on

pytestmark = pytest.mark.django_db
PAGE = "reminders:control"
WHY = {"reason": "The mail server shows it"}


class BrokenPost(BaseEmailBackend):
    def send_messages(self, email_messages):
        raise OSError("nobody answers")


@pytest.fixture
def stuck(riverside, nora, settings):
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.BrokenPost"
    a_visit(a_patient(riverside))
    sweep_on(TODAY)
    settings.EMAIL_BACKEND = working
    return MailMessage.objects.get()


def test_an_empty_registry_says_so_in_words(adam, signed_in):
    text = signed_in(adam).get(reverse(PAGE)).content.decode()
    assert "No sweep has run yet" in text
    assert "Every reminder has somebody to go to." in text
    assert "Every message that was tried went out." in text


def test_totals_and_what_stands_in_the_way_are_shown(stuck, harbour, cora, signed_in):
    a_visit(a_patient(harbour))
    sweep_on(TODAY)
    text = signed_in(cora).get(reverse(PAGE)).content.decode()
    assert "Adds up" in text
    assert "Harbour" in text
    assert "Not sent" in text
    assert "HAR-0001" not in text  # an administrator reads this page too


def test_trying_again_sends_it_with_the_next_sweep(stuck, cora, signed_in):
    answer = signed_in(cora).post(reverse("reminders:message_again", args=[stuck.pk]), WHY, follow=True)
    assert "next sweep" in answer.content.decode()
    assert sweep_on(TODAY).sent == 1


def test_settling_counts_it_as_sent_once(stuck, cora, signed_in):
    browser = signed_in(cora)
    url = reverse("reminders:message_settle", args=[stuck.pk])
    assert "Say how you know" in browser.post(url, follow=True).content.decode()
    assert Reminder.objects.get().state == "failed"
    assert browser.post(url, WHY).status_code == 302
    assert Reminder.objects.get().state == "sent"
    assert AuditEntry.objects.filter(table_name="reminders_mailmessage").latest("id").reason == WHY["reason"]
    late = browser.post(url, WHY)
    assert late.status_code == 409
    assert "Cora saved it on" in late.content.decode()
    assert browser.get(url).status_code == 405


@pytest.mark.parametrize("name", ["nora", "ines", "mona"])
def test_others_are_refused(name, request, stuck, signed_in):
    browser = signed_in(request.getfixturevalue(name))
    assert browser.get(reverse(PAGE)).status_code == 403
    assert browser.post(reverse("reminders:message_again", args=[stuck.pk])).status_code == 403


@pytest.fixture
def manager(riverside):
    return person("mara", "site_manager", riverside)


@pytest.fixture
def notice(riverside, manager):
    """As a restored backup leaves it."""
    return Notice.objects.create(
        recipient=manager, site=riverside, role="site_manager", kind="record_opened", source="opening:1",
        path="/handover/emergency/readings/", state="uncertain", attempts=1, created_at=NOW,
    )  # fmt: skip


def test_an_uncertain_notice_stands_on_the_page_and_is_settled_once_with_how_it_is_known(
    notice, cora, signed_in, mailoutbox
):
    browser = signed_in(cora)
    text = browser.get(reverse(PAGE)).content.decode()
    assert "it may have gone out" in text
    assert "Mara" in text
    url = reverse("reminders:notice_settle", args=[notice.pk])
    assert "Say how you know" in browser.post(url, follow=True).content.decode()
    assert Notice.objects.get().state == "uncertain"
    assert browser.post(url, WHY).status_code == 302
    assert Notice.objects.get().state == "sent"
    entry = AuditEntry.objects.filter(table_name="reminders_notice").latest("id")
    assert (entry.actor, entry.reason) == ("cora", WHY["reason"])
    assert browser.post(url, WHY).status_code == 409
    assert "may have gone out" not in browser.get(reverse(PAGE)).content.decode()
    sweep_on(TODAY)
    assert mailoutbox == []


def test_an_uncertain_notice_is_sent_again_when_somebody_says_so(notice, adam, signed_in, mailoutbox):
    sweep_on(TODAY)
    assert mailoutbox == [], "not by itself"
    signed_in(adam).post(reverse("reminders:notice_again", args=[notice.pk]), WHY)
    sweep_on(TODAY)
    assert [letter.to for letter in mailoutbox] == [["mara@example.org"]]
    assert Notice.objects.get().state == "sent"
