"""A patient with one visit, and the messages that went out."""

from email import message_from_bytes, policy
from email.message import EmailMessage as Mail

import pytest

from tests.followup.reminders.scene import a_patient, a_visit


@pytest.fixture
def outbox(settings, tmp_path):
    """The files the default sink wrote, parsed."""
    settings.EMAIL_BACKEND = "config.mail.FileSink"
    settings.DATA_DIR = tmp_path

    def read() -> list[Mail]:
        files = sorted((tmp_path / "mail").glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]

    return read


@pytest.fixture
def patient(riverside):
    return a_patient(riverside)


@pytest.fixture
def visit(patient):
    return a_visit(patient)
