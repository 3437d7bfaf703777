"""Sessions of browsers, drafts of forms, and notices to people about their own accounts."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from registry.access.models import User


class BrowserSession(AbstractBaseSession):
    """One browser's session, with what its owner needs to know it by. Deleting the row ends it at once."""

    number = models.UUIDField(default=uuid4, editable=False)
    account = models.ForeignKey(User, on_delete=models.CASCADE, null=True)
    since = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)
    browser = models.CharField(max_length=80, blank=True)

    class Meta:
        verbose_name = "session"
        verbose_name_plural = "sessions"
        ordering: ClassVar = ["-last_seen", "session_key"]

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        from registry.signin.sessions import SessionStore

        return SessionStore


class Draft(models.Model):
    """What somebody had typed into a form when their session ended. Not a record: nobody else can read it, and it goes."""

    account = models.ForeignKey(User, on_delete=models.CASCADE)
    page = models.CharField(max_length=300)
    action = models.CharField(max_length=300)
    typed_at = models.DateTimeField()
    content = models.TextField()
    about_patient = models.BigIntegerField(
        null=True, help_text="Whose key locks it too, where its page is about one patient"
    )

    class Meta:
        ordering: ClassVar = ["-typed_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "page", "action"], name="one_draft_per_person_and_form"
            )
        ]

    def __str__(self) -> str:
        return f"draft of {self.page}"


class Notice(models.Model):
    """A message to one person about an account. The row is the queue; the worker sends it."""

    KINDS: ClassVar = {
        "failures": "Several failed sign-ins to your account",
        "failures_elsewhere": "Several failed sign-ins to an account",
        "set_up": "A second factor was set up for your account",
        "reset": "The second factor of your account was taken away",
        "reset_elsewhere": "The second factor of an account was taken away",
        "new_password": "A new password for your account",
        "password_changed": "The password of your account was changed",
    }

    recipient = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    about = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=list(KINDS.items()))
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["made_at", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "failures", "failures_elsewhere", "set_up", "reset", "reset_elsewhere", "new_password",
                        "password_changed",
                    ]
                ),
                name="notice_kind_is_known",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.about.username}"
