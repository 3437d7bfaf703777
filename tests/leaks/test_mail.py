"""What the registry mails: to one person at a time, with nothing about anybody, and never to somebody who has left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import get_template

from config.mail import FileSink
from followup.reminders import actions
from followup.reminders.dispatch import dispatch
from followup.reminders.models import MailMessage
from followup.schedule.actions import ensure_default_plan
from followup.schedule.models import Timepoint, Visit
from registry.access.models import RoleGrant, Site, User
from registry.patients.identity import IdentityFacts, save_identities
from registry.patients.models import Patient
from tests.cast import NOW, TODAY
from tests.sizes import size

MESSAGES = size(short=300, full=10_000)
SUBJECTS = {"Your worklist"}
CANARIES = ("Quibbleworth", "Zebulon", "HN-0101-Q", "1960-05-05")
HEALTH = re.compile(r"diabet|stem cell|stromal|hba1c|infusion|neoplas|cancer|tumou?r|patient", re.IGNORECASE)


@pytest.fixture
def sink(tmp_path: Path, settings) -> Path:
    settings.EMAIL_BACKEND = "config.mail.FileSink"
    settings.DATA_DIR = tmp_path
    return tmp_path / "mail"


@pytest.fixture
def envelopes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Whom each message is handed out for: a blind copy stands in no line of the message itself."""
    seen: list[list[str]] = []
    send = FileSink.send_messages

    def watched(self: FileSink, messages: Sequence[EmailMessage]) -> int:
        seen.extend(message.recipients() for message in messages)
        return send(self, messages)

    monkeypatch.setattr(FileSink, "send_messages", watched)
    return seen


@pytest.fixture
def due(riverside: Site) -> list[User]:
    """As many nurses as there shall be messages, and one visit due that each of them is told of."""
    ensure_default_plan(NOW)
    patient = Patient.objects.create(
        patient_id="RIV-0001-X", site=riverside, status="in_follow_up", created_at=NOW
    )
    facts = IdentityFacts(
        given_name="Zebulon", family_name="Quibbleworth", local_id="HN-0101-Q", birth_date="1960-05-05"
    )
    save_identities(entries=[(patient, facts)])
    Visit.objects.create(
        patient=patient, site=riverside, timepoint=Timepoint.objects.get(code="M12"), visit_code="M12",
        target_date=TODAY, window_opens=TODAY - timedelta(days=30), window_closes=TODAY + timedelta(days=30),
        anchor_date=TODAY - timedelta(days=365), created_on=TODAY - timedelta(days=365),
    )  # fmt: skip
    nurses = User.objects.bulk_create(
        User(username=f"n{n}", full_name=f"Nurse {n}", email=f"n{n}@example.org", date_joined=NOW)
        for n in range(MESSAGES)
    )
    RoleGrant.objects.bulk_create(
        RoleGrant(user=nurse, role="nurse", site=riverside, starts_on=TODAY - timedelta(days=1))
        for nurse in nurses
    )
    return nurses


@pytest.mark.figures
def test_each_message_has_one_recipient_and_says_nothing(
    due: list[User], sink: Path, envelopes: list[list[str]]
) -> None:
    actions.run_sweep(now=NOW, as_of=NOW)
    found = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(sink.glob("*.eml"))
    ]
    assert len(found) == MESSAGES
    wrong = []
    for message in found:
        body = message.get_content()
        links = re.findall(r"\w+://\S+", body)
        alone = len(message.get_all("To")) == 1 and len(message["To"].addresses) == 1
        if not alone or message["Cc"] or message["Bcc"] or message["Subject"] not in SUBJECTS:
            wrong.append(f"{message['To']}: {message['Subject']}")
        if any(canary in message.as_string() for canary in CANARIES) or HEALTH.search(body):
            wrong.append(body)
        if links != [f"{settings.SITE_URL}/today/"] or message.is_multipart():
            wrong.append(f"{links}")
    assert wrong == []
    assert len({message["Message-ID"] for message in found}) == MESSAGES
    assert {message["To"] for message in found} == {nurse.email for nurse in due}
    assert sorted(envelopes) == sorted([nurse.email] for nurse in due)


def test_who_left_between_the_plan_and_the_sending_is_told_nothing(
    due: list[User], sink: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switched off, or moved on, after the messages were written down and before the worker came to them."""
    with monkeypatch.context() as patched:
        patched.setattr(actions, "dispatch", lambda **_: 0)
        actions.run_sweep(now=NOW, as_of=NOW)
    assert MailMessage.objects.filter(state="planned").count() == MESSAGES
    leaver, moved = due[0], due[1]
    User.objects.filter(pk=leaver.pk).update(is_active=False)
    RoleGrant.objects.filter(user=moved).update(ends_on=TODAY - timedelta(days=1))
    dispatch(as_of=NOW, clock=lambda: NOW, by="system:worker")
    told = {message_from_bytes(path.read_bytes())["To"] for path in sink.glob("*.eml")}
    assert not {leaver.email, moved.email} & told
    assert len(told) == MESSAGES - 2
    assert MailMessage.objects.filter(recipient__in=[leaver, moved], state="cancelled").count() == 2


def test_mail_templates_are_plain_text_with_few_words(db: None) -> None:
    folder = settings.BASE_DIR / "templates" / "emails"
    names = sorted(path.name for path in folder.iterdir())
    assert all(name.endswith(".txt") for name in names)
    for name in names:
        assert not HEALTH.search(get_template(f"emails/{name}").template.source), name
