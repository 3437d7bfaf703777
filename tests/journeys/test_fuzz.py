"""Whatever is sent to any address, nothing breaks: no answer of 500 or more, no inside shown, none slower than 10 s.

Every address, opened by roles that may, is asked with hostile questions; every form found on its page is sent with each
field replaced in turn, left out, sent twice and sent a thousand times. Each request is rolled back, so that the next one
meets the same registry. The seed is fixed: what fails once fails again.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import got_request_exception
from django.db import IntegrityError, models, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from config.hygiene import known_charset
from registry import clock
from registry.access import policy
from registry.access.models import User
from registry.audit import anchors
from registry.handover.models import Transfer
from registry.patients.contacts import ContactFacts, add_contact
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import ContactPoint, Enrolment, Patient
from registry.saving import NotAccepted
from tests.cast import NOW
from tests.hostile import (
    BOUNDARY,
    CONTENT_TYPES,
    FILES,
    SCRIPT,
    URLENCODED,
    VALUES,
    Files,
    Pairs,
    multipart,
    query_of,
    quoted,
)
from tests.journeys.test_site_separation import Place, fill, two_sites
from tests.pages import Field, Form, forms_of
from tests.rights_cases import every_case
from tests.rights_world import ENROLLED_ON, Case, World
from tests.sizes import size
from tests.test_rights import BACKEND, OPEN, SIGNED_IN, addresses, allowed

__all__ = ["two_sites"]  # a fixture

SEED = 19
PARTS = size(short=1, full=5)  # of the addresses, so that one part can be run again alone
REQUESTS = size(short=250, full=20_000) // PARTS
SLOWEST_S = 10
LONGEST_ADDRESS = 200_000
TOKEN = "csrfmiddlewaretoken"
ROLES_AN_ADDRESS = 3
QUESTIONS_A_PAGE = 20
QUESTIONS = (
    "page", "before", "after", "q", "ordering", "order", "sort", "all", "skip", "role", "key", "visit", "term", "next",
    "severity_grade", "site", "state", "status", "kind", "who", "first_day", "last_day", "patient", "unknown",
)  # fmt: skip
# What no form on a page sends, but its script does.
SENT_BY_SCRIPTS = {
    "signin:draft_keep": {
        "draft_page": "/patients/enrol/", "draft_action": "/patients/enrol/", "draft_name": "site", "draft_text": "1",
    },
}  # fmt: skip
INSIDE = ("Traceback (most recent call last)", 'File "/', "django/core/handlers", SCRIPT)
TOLD = 12  # failures in the message


@dataclass(frozen=True)
class Shot:
    """One request, and in words what is wrong with it. It is put together when it is fired: some are long."""

    url: str
    what: str
    method: str = "get"
    asked: Pairs = ()
    sent: Pairs = ()
    times: int = 1
    files: Files = field(default_factory=dict)
    content_type: str = ""
    raw: bytes = b""
    key: tuple[str, str] = ("", "")

    def parts(self) -> tuple[str, str, bytes, str]:
        """Method, address, body and what the body is."""
        asked, sent = list(self.asked) * self.times, list(self.sent) * self.times
        stands, instead = self.key
        url = self.url.replace(stands, f"/{quoted(instead)[:LONGEST_ADDRESS]}/", 1) if stands else self.url
        url = f"{url}?{query_of(asked)[:LONGEST_ADDRESS]}" if asked else url
        if self.raw or self.method == "get":
            return self.method.upper(), url, self.raw, self.content_type
        if self.files or "multipart" in self.content_type:
            content_type = self.content_type or f"multipart/form-data; boundary={BOUNDARY}"
            return "POST", url, multipart(sent, self.files), content_type
        return "POST", url, query_of(sent).encode(), self.content_type or URLENCODED


@dataclass
class Target:
    """One address as one role sees it; its shots come in a random order, and never again."""

    name: str
    url: str
    keys: dict[str, Any]
    role: str
    shots: Iterator[Shot] | None = None


@dataclass
class Range:
    """Who shoots, at what, and what was hit."""

    people: dict[str, User]
    random: Random = field(default_factory=lambda: Random(SEED))
    made: int = 0
    slowest: tuple[float, str] = (0.0, "")
    wrong: list[str] = field(default_factory=list)
    browsers: dict[str, tuple[Client, dict[str, str]]] = field(default_factory=dict)
    known: set[tuple[str, ...]] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    answered: dict[int, int] = field(default_factory=dict)

    def browser(self, role: str) -> Client:
        """Signed in as the first time, whatever the last answer did to the cookies."""
        if role not in self.browsers:
            fresh = Client(raise_request_exception=False)
            if role:
                fresh.force_login(self.people[role], backend=BACKEND)
            self.browsers[role] = (fresh, {name: one.value for name, one in fresh.cookies.items()})
        browser, cookies = self.browsers[role]
        browser.cookies = SimpleCookie(cookies)
        return browser

    def on_error(self, **_: Any) -> None:
        last = traceback.format_exc().strip().splitlines()
        ours = [
            line.strip()
            for line in last
            if "/registry/" in line or "/followup/" in line or "/config/" in line
        ]
        self.raised = [*ours[-1:], last[-1][:200]]

    def fire(self, shot: Shot, role: str) -> HttpResponse:
        """The answer, and no trace of the request."""
        self.made, self.raised = self.made + 1, []
        if self.made % 50 == 0:
            cache.clear()  # counted guesses
        began = perf_counter()
        browser, parts = self.browser(role), shot.parts()
        with transaction.atomic():
            asked = browser.generic(*parts, CONTENT_TYPE=known_charset(parts[-1]))  # as config.wsgi does
            text = (b"".join(asked.streaming_content) if asked.streaming else asked.content).decode(
                "utf-8", "replace"
            )
            transaction.set_rollback(True)
        took = perf_counter() - began
        self._judge(shot, role, asked, text, took)
        return asked

    def _judge(self, shot: Shot, role: str, asked: Any, text: str, took: float) -> None:
        told = f"{role or 'nobody'} {shot.method} {shot.url[:120]} [{shot.what[:120]}]"
        self.slowest = max(self.slowest, (took, told))
        self.answered[asked.status_code] = self.answered.get(asked.status_code, 0) + 1
        is_page = asked.headers.get("Content-Type", "").startswith("text/html")
        shown = [mark for mark in INSIDE if mark in text and (is_page or mark != SCRIPT)]
        if asked.status_code >= 500 or shown or took > SLOWEST_S:
            self.wrong.append(f"{asked.status_code} {told} {took:.1f} s {shown} {' | '.join(self.raised)}")


@dataclass
class Waiting(Place):
    """A second person's rows, so that what is over for the first still waits: a transfer sent, another received."""

    received: Transfer | None = None

    def make(self, model: type[models.Model], **given: Any) -> Any:
        if model is Transfer and given.get("to_site") == self.riverside:
            self.received = self.received or World.make(self, model, **given)
            return self.received
        return super().make(model, **given)

    def between_sites(self) -> dict[str, dict[str, Any]]:
        return {}


def waiting_at(world: World) -> Waiting:
    second = Patient.objects.create(patient_id="RIV-0002-W", site=world.riverside, created_at=NOW)
    Enrolment.objects.create(patient=second, enrolled_on=ENROLLED_ON)
    facts = IdentityFacts(given_name="Berta", family_name="Cole", local_id="R-2")
    save_identity(patient=second, facts=facts, by=None)
    add_contact(patient=second, facts=ContactFacts(value="+44 1632 960009", valid_from=ENROLLED_ON), by=None)
    staff = {"own": world.own, "other": world.other}
    waiting = Waiting(riverside=world.riverside, harbour=world.harbour, patient=second, made=50_000, **staff)
    waiting.kept[ContactPoint] = ContactPoint.objects.get(patient=second)
    return waiting


def keys_of(case: Case, world: World) -> list[dict[str, Any]]:
    """None where only one row of the kind may be there, whoever it is about."""
    with suppress(IntegrityError, NotAccepted), transaction.atomic():
        return [case.kwargs(world)]
    return []


def targets_of(here: Place, second: Waiting, random: Random) -> list[Target]:
    found = [
        Target(name, reverse(name), {}, role) for name in sorted(OPEN - {"readyz"}) for role in ("", "nurse")
    ]
    found += [Target(name, reverse(name), {}, "nurse") for name in sorted(SIGNED_IN)]
    for name, case in every_case().items():
        roles = [role for role in policy.ROLES if allowed(role, case)]
        has_keys = bool(addresses()[name].pattern.converters)
        for keys in [*keys_of(case, here), *keys_of(case, second)] if has_keys else [{}]:
            url = reverse(name, kwargs=keys)
            picked = random.sample(roles, min(ROLES_AN_ADDRESS, len(roles)))
            found += [Target(name, url, keys, role) for role in picked]
    random.shuffle(found)
    return list({(one.name, one.url, one.role): one for one in found}.values())


def one_after_another(targets: list[Target], ground: Range) -> Iterator[None]:
    """One shot at each target in turn; a page is read when its turn comes, and that is a request too."""
    waiting = list(targets)
    while waiting:
        for target in list(waiting):
            if target.shots is None:
                target.shots = iter(shots_of(target, ground))
                yield
                continue
            shot = next(target.shots, None)
            if shot is None:
                waiting.remove(target)
                continue
            ground.fire(shot, target.role)
            yield


def shots_of(target: Target, ground: Range) -> list[Shot]:
    page = ground.fire(Shot(target.url, "the page itself"), target.role)
    html = "" if page.streaming or page.status_code != 200 else page.content.decode("utf-8", "replace")
    questions = [*questions_to(target, html), *wrong_keys(target)]
    ground.random.shuffle(questions)
    posts = [shot for form in new_forms(target, html, ground) for shot in posts_of(form, ground.tokens)]
    ground.random.shuffle(posts)
    questions = questions[:QUESTIONS_A_PAGE]  # most are about nothing; forms are what takes things in
    mixed = [shot for pair in zip(posts, questions, strict=False) for shot in pair]
    return mixed + posts[len(questions) :] + questions[len(posts) :]


def new_forms(target: Target, html: str, ground: Range) -> list[Form]:
    """Forms that no page showed before to anybody; an address that only takes POST is sent an empty one."""
    found = []
    sent = {name: Field(name, "text", value) for name, value in SENT_BY_SCRIPTS.get(target.name, {}).items()}
    for form in forms_of(html) if html else [Form("post", target.url, sent)]:
        form.action = form.action or target.url
        known = (re.sub(r"[0-9a-f-]{36}|\d+", "N", form.action), *sorted(form.fields))
        if not form.action.startswith("/") or known in ground.known:
            continue
        ground.known.add(known)
        if "form_token" in form.fields:
            ground.tokens.append(form.fields["form_token"].value)
        found.append(form)
    return found


def questions_to(target: Target, html: str) -> Iterator[Shot]:
    names = {name for form in forms_of(html, "get") for name in form.fields} | set(QUESTIONS)
    names |= set(re.findall(r"[?;&]([a-z_]+)=", html))
    ask = partial(Shot, target.url)
    for name in sorted(names):
        for what, value in VALUES.items():
            yield ask(f"{name}: {what}", asked=[(name, value)])
        yield ask(f"{name} a thousand times", asked=[(name, "1")], times=1_000)
        yield ask(f"{name} as a list", asked=[(name, ""), (f"{name}[]", "1"), (f"{name}[a][b]", "2")])
    for what, value in VALUES.items():
        yield ask(f"everything: {what}", asked=[(name, value) for name in sorted(names)])
        yield ask(f"a name: {what}", asked=[(value, "x")])
    for content_type in CONTENT_TYPES:
        bytewise = f"{target.url}?q=%ff%00+2AA-\\ud800&page=%ff"
        yield Shot(bytewise, f"as {content_type}", content_type=content_type)


def wrong_keys(target: Target) -> Iterator[Shot]:
    for key in target.keys.values():
        for what, value in VALUES.items():
            for method in ("get", "post"):
                yield Shot(target.url, f"key {what}", method, key=(f"/{key}/", value))


def posts_of(form: Form, tokens: list[str]) -> Iterator[Shot]:
    plain = list(form.filled().items())
    send = partial(Shot, form.action, method="post")
    files = [name for name, one in form.fields.items() if one.kind == "file"]
    sound = dict.fromkeys(files, ("a.csv", b"patient_id\nRIV-0001-X\n"))
    for what, pairs in wrong_posts(plain, tokens):
        yield send(what, sent=pairs, files=sound)
    for name in [name for name in form.fields if name != TOKEN and name not in files]:
        yield send(f"{name} a thousand times", sent=[*plain, (name, "1")], times=1_000 // len(form.fields))
    for name in files:
        yield send(f"file {name} as text", sent=[*plain, (name, "x")])
        for what, content in FILES.items():
            yield send(f"file {name}: {what}", sent=plain, files={name: content})
    for content_type in CONTENT_TYPES:
        odd = [(name, f"{value}+2AA-\\ud800") for name, value in plain]
        yield send(f"as {content_type}", sent=odd, files=sound, content_type=content_type or "?")
    whole, kind = multipart(plain, sound), f"multipart/form-data; boundary={BOUNDARY}"
    for what, raw in (("broken", b"--" + BOUNDARY.encode() + b"\r\n\r\n\r\n"), ("cut short", whole[:-40])):
        yield send(what, raw=raw, content_type=kind)


def wrong_posts(plain: Pairs, tokens: list[str]) -> Iterator[tuple[str, Pairs]]:
    yield "as it stands", plain
    yield "nothing", []
    yield "too many fields", [*plain, *((f"more{number}", "1") for number in range(3_000))]
    for name in [name for name, _ in plain if name != TOKEN]:
        rest = [pair for pair in plain if pair[0] != name]
        yield f"without {name}", rest
        for what, value in VALUES.items():
            yield f"{name}: {what}", [*rest, (name, value)]
            yield f"{name} twice: {what}", [*plain, (name, value)]
        if name == "form_token":
            yield from (("another form's token", [*rest, (name, token)]) for token in tokens[:3])
    kept = [pair for pair in plain if pair[0] in (TOKEN, "form_token", "version", "step")]
    for what, value in VALUES.items():
        yield f"all: {what}", [*kept, *((name, value) for name, _ in plain if (name, _) not in kept)]
        yield f"a name: {what}", [*plain, (value, "x")]


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_that_is_sent_breaks_anything(
    part: int, two_sites: tuple[World, Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, here, there = two_sites
    fill(here)
    fill(there)
    monkeypatch.setattr(anchors, "after_commit", lambda: None)  # nothing here is ever committed
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # what fails is told below
    ground = Range(world.own)
    got_request_exception.connect(ground.on_error)
    with clock.set_to(NOW):
        targets = targets_of(here, waiting_at(world), ground.random)[part::PARTS]
        for _ in islice(one_after_another(targets, ground), REQUESTS):
            pass
    print(
        f"{ground.made} requests, {len(ground.known)} forms, {sorted(ground.answered.items())}, {ground.slowest}"
    )
    assert ground.made >= REQUESTS
    assert ground.wrong == [], f"{len(ground.wrong)} wrong:\n" + "\n".join(ground.wrong[:TOLD])
