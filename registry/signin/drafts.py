"""What was typed and not saved when a session ended: kept here, encrypted, for its writer, at most seven days. What was
typed on a page about one patient is under that patient's key as well.

Nothing of it stays in the browser. Passwords, tokens and versions are never part of it: the page that takes the draft
back brings its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from registry.access.models import User
from registry.encryption import CannotDecrypt, seal, unseal
from registry.signin import sealing
from registry.signin.models import Draft

KEPT = timedelta(days=7)
LONGEST = 200_000  # characters
MOST = 20  # drafts a person
PURPOSE = "draft"
NEVER = re.compile(r"password|csrf|token|version$|^code$", re.IGNORECASE)
NOWHERE = ("/accounts/", "/settings/account/")  # who one is, is not kept
IN_SESSION = "drafts"

Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class People:
    """Given by a room that knows patients: whom an address is about, and that person's key while it exists."""

    of_page: Callable[[ResolverMatch], int | None]
    key_of: Callable[[int], bytes | None]


_people: list[People] = []


def know_people(people: People) -> None:
    _people[:] = [people]


@dataclass(frozen=True)
class Offer:
    """What a page shows about one draft."""

    pk: int
    typed_at: datetime
    action: str
    fields: list[dict[str, str]]


def keep(*, user: User, page: str, action: str, fields: Iterable[tuple[str, str]], now: datetime) -> bool:
    """The newest text of a form takes the place of an older one. Whether there was anything to keep."""
    kept = [(name, text) for name, text in fields if not NEVER.search(name)]
    content = json.dumps(kept)
    if not any(text.strip() for _, text in kept) or len(content) > LONGEST:
        return False
    if not (is_page(page) and is_page(action)):
        return False
    Draft.objects.update_or_create(
        account=user, page=page, action=action, defaults={"typed_at": now} | _locked(content, page, action)
    )  # fmt: skip
    surplus = (
        Draft.objects.filter(account=user).order_by("-typed_at", "-pk").values_list("pk", flat=True)[MOST:]
    )
    Draft.objects.filter(pk__in=list(surplus)).delete()
    return True


def keep_post(request: HttpRequest, user: User, *, page: str, now: datetime) -> bool:
    fields = [(name, text) for name, texts in request.POST.lists() for text in texts]
    return keep(user=user, page=page, action=request.path, fields=fields, now=now)


def is_page(path: str) -> bool:
    if len(path) > 300 or not path.isprintable() or path.startswith(NOWHERE):
        return False
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def note_in_session(request: HttpRequest, user: User, now: datetime) -> None:
    """The pages with a draft, so that all others cost no query."""
    found = Draft.objects.filter(account=user, typed_at__gt=now - KEPT).order_by("pk")
    request.session[IN_SESSION] = list(dict.fromkeys(found.values_list("page", flat=True)))


def offers(request: HttpRequest, user: User, now: datetime) -> list[Offer]:
    if request.path not in request.session.get(IN_SESSION, []):
        return []
    found = Draft.objects.filter(account=user, page=request.path, typed_at__gt=now - KEPT)
    return [offer for draft in found.order_by("-typed_at", "-pk") if (offer := _opened(draft))]


def forget(*, user: User, pk: int) -> str:
    """The page to go back to; blank where there is no such draft of this person."""
    draft = Draft.objects.filter(account=user, pk=pk).first()
    if draft is None:
        return ""
    draft.delete()
    return draft.page


def forget_saved(request: HttpRequest) -> None:
    """The form was saved after all."""
    if isinstance(request.user, User) and request.session.get(IN_SESSION):
        Draft.objects.filter(account=request.user, action=request.path).delete()


def forget_old(now: datetime) -> int:
    deleted, _ = Draft.objects.filter(typed_at__lte=now - KEPT).delete()
    return deleted


def _locked(content: str, *paths: str) -> dict[str, Any]:
    """Under the key of the person its page is about as well: with that key it is gone from every copy, backups included."""
    for people in _people:
        for path in paths:
            patient = people.of_page(resolve(path))
            if key := people.key_of(patient) if patient else None:
                sealed = seal(key, content, purpose=f"{PURPOSE}:{patient}")
                return {"content": sealing.lock(sealed, purpose=PURPOSE), "about_patient": patient}
    return {"content": sealing.lock(content, purpose=PURPOSE), "about_patient": None}


def _unlocked(draft: Draft) -> str:
    content = sealing.unlock(draft.content, purpose=PURPOSE)
    patient = draft.about_patient
    if patient is None:
        return content
    key = next((key for people in _people if (key := people.key_of(patient))), None)
    if key is None:
        raise CannotDecrypt("the person was erased")
    return unseal(key, content, purpose=f"{PURPOSE}:{patient}")


def _opened(draft: Draft) -> Offer | None:
    try:
        fields = json.loads(_unlocked(draft))
    except CannotDecrypt:  # its key is gone: nothing is left to offer
        return None
    shown = [{"name": name, "text": text} for name, text in fields]
    return Offer(draft.pk, draft.typed_at, draft.action, shown)
