"""The default mail sink: each message becomes one complete file, so nothing leaves the machine by accident."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class FileSink(BaseEmailBackend):
    """Writes to a temporary name and renames, so a reader never meets half a message."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.DATA_DIR / "mail")
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = uuid.uuid4().hex
            partial = folder / f".{name}.partial"
            with partial.open("wb") as file:
                file.write(message.message().as_bytes())
                file.flush()
                os.fsync(file.fileno())
            partial.rename(folder / f"{name}.eml")
        return len(email_messages)
