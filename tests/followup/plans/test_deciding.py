"""A plan is written by one person and approved by another, or alone after a delay; then everybody's visits follow it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from followup.plans import actions
from followup.plans.actions import Refused
from followup.plans.models import PlanDraft
from followup.schedule.actions import repair_plans
from followup.schedule.actions.plans import plan_in_force
from followup.schedule.models import FollowUpPlan, Visit
from followup.schedule.plan_text import write_plan
from registry.access.models import Registry, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.saving import ChangedMeanwhile, NotAccepted, new_token
from tests.followup.plans.scene import (
    DEFAULT,
    NOW,
    TRIAL,
    changed,
    draft_of,
    line,
    second_coordinator,
    without,
)
from tests.followup.schedule.scene import planned, visit_of

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=24)


@pytest.fixture
def carl(acting: None) -> User:
    return second_coordinator()


def asked(plan, by: User) -> PlanDraft:
    with acting_as(by):
        draft = draft_of(plan, by)
        actions.ask(draft=draft, reason="Month 9 brings nothing", version=draft.version, by=by, now=NOW)
    return draft


def approved(plan, by: User, other: User) -> PlanDraft:
    draft = asked(plan, by)
    with acting_as(other):
        actions.approve(draft=draft, reason="", version=draft.version, by=other, now=NOW)
    return draft


def test_a_second_person_approves_and_it_is_followed_once_put_in_force(riverside, cora, carl):
    patient = planned(riverside)
    draft = approved(without("M9"), cora, carl)
    assert plan_in_force().version == 1
    repair_plans(NOW)
    assert visit_of(patient, "M9").state == "planned", "approved is not yet in force"
    with acting_as(carl):
        row = actions.put_in_force(draft=draft, version=draft.version, by=carl, now=NOW)
    assert (row.code, row.version, row.source) == ("default", 2, draft.text)
    repair_plans(NOW)
    assert visit_of(patient, "M9").state == "not_required"
    assert (draft.state, draft.plan, draft.in_force_by) == ("in_force", row, carl)


def test_who_wrote_it_waits_and_says_why_nobody_else_can(cora, carl):
    draft = asked(without("M9"), cora)
    with pytest.raises(Refused, match="write why nobody else can approve it"):
        actions.approve(draft=draft, reason=" ", version=draft.version, by=cora, now=NOW)
    actions.approve(draft=draft, reason="One coordinator only", version=draft.version, by=cora, now=NOW)
    assert draft.effective_at == LATER
    with pytest.raises(Refused, match="its delay has not passed"):
        actions.put_in_force(draft=draft, version=draft.version, by=cora, now=LATER - timedelta(seconds=1))
    assert actions.put_in_force(draft=draft, version=draft.version, by=cora, now=LATER).version == 2


def test_the_delay_is_the_registry_s(cora):
    Registry.objects.update_or_create(pk=1, defaults={"self_approval_hours": 48})
    draft = asked(without("M9"), cora)
    actions.approve(draft=draft, reason="Alone", version=draft.version, by=cora, now=NOW)
    assert draft.effective_at == NOW + timedelta(hours=48)


def test_whoever_wrote_a_part_is_not_the_second_person(cora, carl):
    with acting_as(cora):
        draft = draft_of(DEFAULT, cora)
    with acting_as(carl):
        actions.remove_line(draft=draft, code="M9", version=draft.version, by=carl)
    with acting_as(cora):
        actions.ask(draft=draft, reason="Together", version=draft.version, by=cora, now=NOW)
    assert actions.wrote_it(draft, carl)
    actions.approve(draft=draft, reason="We are two", version=draft.version, by=carl, now=NOW)
    assert draft.effective_at == LATER


def test_anybody_who_may_approve_stops_what_was_approved_alone(cora, carl):
    draft = asked(without("M9"), cora)
    actions.approve(draft=draft, reason="Alone", version=draft.version, by=cora, now=NOW)
    with pytest.raises(Refused, match="Write why"):
        actions.refuse(draft=draft, reason="", version=draft.version, by=carl, now=NOW)
    actions.refuse(draft=draft, reason="The board has not met", version=draft.version, by=carl, now=NOW)
    assert (draft.state, draft.decision_reason, draft.effective_at) == (
        "draft",
        "The board has not met",
        None,
    )
    with pytest.raises(Refused, match="Only an approved plan"):
        actions.put_in_force(draft=draft, version=draft.version, by=carl, now=LATER)


def test_what_is_asked_for_is_fixed_until_it_is_taken_back(cora, carl):
    draft = asked(without("M9"), cora)
    with pytest.raises(Refused, match="fixed"):
        actions.remove_line(draft=draft, code="M6", version=draft.version, by=cora)
    with pytest.raises(Refused, match="Only the person who asked"):
        actions.take_back(draft=draft, version=draft.version, by=carl)
    actions.take_back(draft=draft, version=draft.version, by=cora)
    actions.remove_line(draft=draft, code="M18", version=draft.version, by=cora)
    assert not [each for each in draft.rules.lines if each.code == "M18"]


def test_a_plan_with_errors_is_not_asked_for_and_a_reason_is(cora):
    draft = draft_of(without("INF"), cora)
    with pytest.raises(Refused, match="No visit belongs to the day of an infusion"):
        actions.ask(draft=draft, reason="Try", version=draft.version, by=cora, now=NOW)
    whole = draft_of(without("M9"), cora)
    with pytest.raises(Refused, match="Write what changes and why"):
        actions.ask(draft=whole, reason="", version=whole.version, by=cora, now=NOW)


def test_one_plan_is_decided_on_at_a_time(cora, carl):
    asked(without("M9"), cora)
    other = draft_of(TRIAL, carl)
    with pytest.raises(Refused, match="One plan is decided on at a time"):
        actions.ask(draft=other, reason="Also", version=other.version, by=carl, now=NOW)


def test_what_was_compared_with_an_older_version_is_compared_anew(cora, carl):
    first = approved(without("M9"), cora, carl)
    second = asked(without("M18"), cora)
    actions.put_in_force(draft=first, version=first.version, by=carl, now=NOW)
    with pytest.raises(Refused, match="compare it anew"):
        actions.approve(draft=second, reason="", version=second.version, by=carl, now=NOW)
    actions.refuse(draft=second, reason="Compare anew", version=second.version, by=carl, now=NOW)
    actions.ask(draft=second, reason="Compared", version=second.version, by=cora, now=NOW)
    assert second.rules.version == 3, "numbered behind what was put in force in between"


def test_of_two_who_decide_at_once_one_decides(cora, carl):
    draft = asked(without("M9"), cora)
    same = PlanDraft.objects.get(pk=draft.pk)
    actions.approve(draft=draft, reason="", version=draft.version, by=carl, now=NOW)
    with pytest.raises(ChangedMeanwhile):
        actions.refuse(draft=same, reason="No", version=same.version, by=cora, now=NOW)


def test_nobody_but_a_coordinator_writes_or_approves(cora, nora, ines, sami):
    draft = asked(without("M9"), cora)
    for person in (nora, ines, sami):
        with pytest.raises(PermissionDenied):
            actions.approve(draft=draft, reason="", version=draft.version, by=person, now=NOW)
        with pytest.raises(PermissionDenied):
            draft_of(DEFAULT, person)


def test_the_trail_names_both_people_and_the_reason(cora, carl):
    draft = approved(without("M9"), cora, carl)
    entries = AuditEntry.objects.filter(table_name="plans_plandraft", row_id=str(draft.pk), action="update")
    told = list(entries.order_by("pk").values_list("actor", "reason"))
    assert told[0] == ("cora", "Month 9 brings nothing")
    assert told[-1] == ("carl", "Month 9 brings nothing")


def test_the_database_keeps_the_rules_too(cora, carl):
    draft = asked(without("M9"), cora)
    rows = PlanDraft.objects.filter(pk=draft.pk)
    with pytest.raises(IntegrityError, match="plan_approved_alone_waits"), transaction.atomic():
        rows.update(state="approved", decided_by=cora)
    with pytest.raises(IntegrityError, match="plan_in_force_was_approved"), transaction.atomic():
        rows.update(state="in_force")
    other = draft_of(TRIAL, carl)
    # SQLite names the column of a broken index instead of the rule.
    named = "one_plan_asked_for_at_a_time|plans_plandraft.state"
    with pytest.raises(IntegrityError, match=named), transaction.atomic():
        PlanDraft.objects.filter(pk=other.pk).update(state="asked")
    named = "one_plan_approved_at_a_time|plans_plandraft.state"
    rows.update(state="approved", decided_by=carl)
    with pytest.raises(IntegrityError, match=named), transaction.atomic():
        PlanDraft.objects.filter(pk=other.pk).update(state="approved", decided_by=carl)
    named = "one_plan_draft_per_form|plans_plandraft.form_token"
    with pytest.raises(IntegrityError, match=named), transaction.atomic():
        PlanDraft.objects.filter(pk=other.pk).update(form_token=draft.form_token)


# Writing -----------------------------------------------------------------------------------------------------


def test_a_draft_begins_from_what_is_chosen_and_is_numbered_behind_what_was_followed(cora):
    def begun(start: str, **given: str) -> PlanDraft:
        words = {"code": "", "title": ""} | given
        return actions.begin(start=start, by=cora, now=NOW, form_token=new_token(), **words)

    assert begun("empty", code="mine", title="My plan").rules.lines == ()
    in_force = begun("in_force")
    assert (in_force.rules.version, in_force.rules.timepoints) == (2, DEFAULT.timepoints)
    assert in_force.text.startswith("# The default follow-up plan"), "the committee's comments stay"
    assert begun("three_infusions").rules == TRIAL
    assert begun("default", code="other").rules.version == 1


def test_a_file_goes_out_again_to_the_letter(cora):
    text = "# ours\n" + write_plan(TRIAL)
    draft = actions.bring_in(text=text, name="ours.toml", by=cora, now=NOW, form_token=new_token())
    assert draft.text == text


def test_reminders_of_the_plan_change_for_every_visit_that_has_none_of_its_own(cora):
    draft = draft_of(DEFAULT, cora)
    fewer = DEFAULT.reminders[2:]
    actions.save_head(
        draft=draft, code="default", title="T", source="S", reminders=fewer, version=draft.version, by=cora
    )
    assert line("M9", draft.rules).reminders == fewer
    assert line("D7", draft.rules).reminders == line("D7").reminders


def test_one_code_is_one_visit(cora):
    draft = draft_of(TRIAL, cora)
    again = replace(line("WK20", TRIAL), code="Y9", label="Something")
    with pytest.raises(NotAccepted, match="Y9 is the code of Year 9 already"):
        actions.save_line(draft=draft, line=again, instead_of="", version=draft.version, by=cora)


def test_lines_stand_by_anchor_and_day_however_they_were_added(cora):
    draft = draft_of(without("M9"), cora)
    actions.save_line(draft=draft, line=line("M9"), instead_of="", version=draft.version, by=cora)
    assert draft.rules.lines == DEFAULT.lines[:6] + tuple(
        each for each in draft.rules.lines if each not in DEFAULT.lines[:6]
    )
    codes = [each.code for each in draft.rules.lines]
    assert codes.index("M6") + 1 == codes.index("M9") == codes.index("M12") - 1


def test_two_who_change_a_draft_do_not_overwrite_one_another(cora, carl):
    draft = draft_of(DEFAULT, cora)
    opened = draft.version
    actions.remove_line(draft=draft, code="M9", version=opened, by=cora)
    with pytest.raises(ChangedMeanwhile):
        actions.remove_line(draft=draft, code="M6", version=opened, by=carl)


def test_there_and_back_through_two_approvals_restores_every_visit(riverside, cora, carl):
    patient = planned(riverside)

    def rows():
        return list(
            Visit.objects.filter(patient=patient).order_by("pk").values_list("pk", "target_date", "state")
        )

    before = rows()
    for plan in (changed("M3", offset_value=4, plan=without("M9")), DEFAULT):
        draft = approved(plan, cora, carl)
        actions.put_in_force(draft=draft, version=draft.version, by=carl, now=NOW)
        repair_plans(NOW)
    assert rows() == before
    assert list(FollowUpPlan.objects.order_by("pk").values_list("version", flat=True)) == [1, 2, 3]
