"""R8: of two people who opened the same record one saves; the other sees both people's changes and chooses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from tests.cast import NOW
from tests.forms.browser import browser_of, forms_on, opened
from tests.forms.tables import EDITS, Editing, other_of, typed
from tests.rights_world import World, make_world
from tests.test_rights import addresses

VALUES = sorted(name for name, one in EDITS.items() if not one.decides)


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with clock.set_to(NOW):
        with acting_as("system:command"):
            made = make_world()
        yield made


class Pair:
    """Two people with the same page open; the first has saved."""

    def __init__(self, world: World, name: str) -> None:
        self.one: Editing = EDITS[name]
        with acting_as("system:command"):
            self.row: models.Model = self.one.row(world)
            self.people: list[User] = [world.own[self.one.role], other_of(world, self.one.role)]
        self.url = reverse(name, kwargs=self.one.kwargs(world, self.row))
        first, self.late = (browser_of(person) for person in self.people)
        before, self.sent = opened(first.get(self.url)), opened(self.late.get(self.url))
        assert "version" in self.sent, "a form that edits carries the version it was opened from"
        self.saved = first.post(self.url, typed(self.one, before, self.one.first))
        assert self.saved.status_code == 302, _why(self.saved)
        self.content = self.stored()
        self.answer = self.late.post(self.url, typed(self.one, self.sent, self.one.second))
        self.page = self.answer.content.decode()

    def stored(self) -> list[tuple[Any, ...]]:
        return list(type(self.row)._default_manager.filter(pk=self.row.pk).values_list())

    def again(self, **chosen: str) -> HttpResponse:
        return self.late.post(self.url, opened(self.answer) | self.one.more | chosen)

    @property
    def field(self) -> str:
        return next(name for name in self.one.first if name in self.one.second and name != self.one.reason)


def _why(answer: HttpResponse) -> str:
    return str([form.errors for form in forms_on(answer) if form.is_bound]) or answer.content.decode()[:500]


def test_every_form_with_a_version_is_in_the_table(world: World) -> None:
    """A page that offers a form with a version must be in EDITS, so that the tests below look at it."""
    missing = []
    for name, address in sorted(addresses().items()):
        code = getattr(address.callback, "__wrapped__", address.callback).__code__
        if "Edit" in code.co_names and name not in EDITS:
            missing.append(name)
    assert not missing


@pytest.mark.parametrize("name", sorted(EDITS))
def test_the_second_of_two_overwrites_nothing_and_sees_who_was_first(name: str, world: World) -> None:
    pair = Pair(world, name)
    assert pair.answer.status_code == 409, _why(pair.answer)
    assert pair.stored() == pair.content
    assert pair.people[0].full_name in pair.page
    assert "saved it on" in pair.page


@pytest.mark.parametrize("name", VALUES)
def test_both_values_stand_field_by_field(name: str, world: World) -> None:
    pair = Pair(world, name)
    lines = {line.label: line for line in pair.answer.context["conflicts"]["lines"]}
    line = lines[pair.one.shown]
    assert line.choice
    assert len({line.opened, line.stored, line.typed}) == 3
    assert f'name="keep.{pair.field}" value="theirs"' in pair.page


@pytest.mark.parametrize("name", VALUES)
def test_keeping_theirs_leaves_what_they_saved(name: str, world: World) -> None:
    pair = Pair(world, name)
    stood = _shown(pair, pair.field)
    again = pair.again(**{f"keep.{pair.field}": "theirs"})
    assert again.status_code == 302, _why(again)
    assert _shown(pair, pair.field) == stood


@pytest.mark.parametrize("name", VALUES)
def test_saving_again_with_mine_is_a_decision_that_counts(name: str, world: World) -> None:
    pair = Pair(world, name)
    again = pair.again(**{f"keep.{pair.field}": "mine"})
    assert again.status_code == 302, _why(again)
    if name != "safety:event_assess":  # the stronger verdict is in force, whoever gave it last
        assert _shown(pair, pair.field) == pair.one.second[pair.field]


def _shown(pair: Pair, field: str) -> str:
    """What the form holds for the field when it is opened anew."""
    text = str(opened(pair.late.get(pair.url)).get(field, ""))
    return text.rstrip("0").rstrip(".") if "." in text and "-" not in text else text
