from typing import Any

from followup.plans.models import PlanDraft
from followup.schedule.actions.plans import plan_in_force
from followup.schedule.plan_file import DEFAULT_PLAN_PATH
from tests.rights_world import Case, World

READ, WRITE, DECIDE = ("plans.view",), ("plans.edit",), ("plans.approve",)


def a_draft(world: World, **given: Any) -> PlanDraft:
    text = DEFAULT_PLAN_PATH.read_text(encoding="utf-8").replace("version = 1", "version = 2", 1)
    draft: PlanDraft = world.make(
        PlanDraft,
        **{"text": text, "begun_from": "the version in force", "created_by": world.own["coordinator"]}
        | given,
    )
    return draft


def of_draft(world: World) -> dict[str, Any]:
    return {"pk": a_draft(world).pk}


def of_line(world: World) -> dict[str, Any]:
    return of_draft(world) | {"code": "M9"}


def of_version(world: World) -> dict[str, Any]:
    return {"pk": plan_in_force().pk}


CASES = {
    "plans:plan_list": Case(READ),
    "plans:draft": Case(READ, of_draft, of_site=False),
    "plans:draft_calendar": Case(READ, of_draft, of_site=False),
    "plans:draft_changes": Case(READ, of_draft, of_site=False),
    "plans:draft_toml": Case(READ, of_draft, of_site=False),
    "plans:version": Case(READ, of_version, of_site=False),
    "plans:version_calendar": Case(READ, of_version, of_site=False),
    "plans:version_toml": Case(READ, of_version, of_site=False),
    "plans:draft_effects": Case(WRITE, of_draft, of_site=False),
    "plans:draft_new": Case(WRITE),
    "plans:draft_import": Case(WRITE),
    "plans:draft_head": Case(WRITE, of_draft, of_site=False),
    "plans:assessment_edit": Case(WRITE, of_draft, of_site=False),
    "plans:line_new": Case(WRITE, of_draft, of_site=False),
    "plans:line_edit": Case(WRITE, of_line, of_site=False),
    "plans:line_remove": Case(WRITE, of_line, of_site=False),
    "plans:draft_ask": Case(WRITE, of_draft, of_site=False),
    "plans:draft_take_back": Case(WRITE, of_draft, of_site=False),
    "plans:draft_discard": Case(WRITE, of_draft, of_site=False),
    "plans:draft_approve": Case(DECIDE, of_draft, of_site=False),
    "plans:draft_refuse": Case(DECIDE, of_draft, of_site=False),
    "plans:draft_put_in_force": Case(DECIDE, of_draft, of_site=False),
}
