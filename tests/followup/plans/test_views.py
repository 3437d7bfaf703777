"""The pages of plans: what they offer to whom, and what a wrong form or file is told."""

from io import BytesIO

import pytest
import time_machine
from django.urls import reverse

from followup.plans import actions, tasks
from followup.plans.models import PlanDraft
from followup.schedule.actions.plans import plan_in_force
from followup.schedule.models import Visit
from followup.schedule.plan_file import DEFAULT_PLAN_PATH
from registry.access.models import User
from registry.saving import new_token
from tests.cast import NOW
from tests.followup.plans.scene import DEFAULT, TRIAL_PATH, draft_of, second_coordinator, without
from tests.followup.schedule.scene import planned, visit_of
from tests.forms.browser import opened

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel(NOW, tick=False):
        yield


def page(browser, name: str, *args: object) -> str:
    return browser.get(reverse(f"plans:{name}", args=args)).content.decode()


def test_a_registry_without_drafts_says_so(cora: User, signed_in):
    shown = page(signed_in(cora), "plan_list")
    assert "Nobody is writing a plan." in shown
    assert "Nobody is enrolled at your sites yet" in shown
    assert "shipped with the registry" in shown


def test_who_only_reads_is_offered_nothing_to_change(cora: User, ines: User, signed_in):
    draft = draft_of(without("M9"), cora)
    shown = page(signed_in(ines), "draft", draft.pk)
    assert "Month 6" in shown
    for word in ("Add a visit", "Ask for approval", "Take out", "What it does to patients"):
        assert word not in shown


def bring_in(browser, content: bytes):
    upload = BytesIO(content)
    upload.name = "ours.toml"
    return browser.post(reverse("plans:draft_import"), {"file": upload, "form_token": new_token()})


def test_a_file_comes_in_and_goes_out_to_the_letter(cora: User, signed_in):
    browser = signed_in(cora)
    assert bring_in(browser, TRIAL_PATH.read_bytes()).status_code == 302
    draft = PlanDraft.objects.get()
    answer = browser.get(reverse("plans:draft_toml", args=[draft.pk]))
    assert answer.content == TRIAL_PATH.read_bytes()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="three-infusions-1.toml"'
    version = browser.get(reverse("plans:version_toml", args=[plan_in_force().pk]))
    assert version.content == DEFAULT_PLAN_PATH.read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"\xff\xfe",
            "The file is not text in UTF-8: byte 1 cannot be read. Save it as UTF-8 and choose it again.",
        ),
        (b"[plan\n", "Line 1: The plan is not valid TOML"),
        (b"x = 1\n", "x is not a known field; known are assessment, plan, reminders, timepoint"),
        (
            DEFAULT_PLAN_PATH.read_bytes().replace(b'anchor = "last_infusion"', b'anchor = "birth"'),
            "timepoint W12L: anchor is &#x27;birth&#x27;, expected one of enrolment",
        ),
        (b"", "The submitted file is empty."),
    ],
)
def test_a_broken_file_is_told_what_where_and_what_to_do(cora: User, signed_in, content: bytes, words: str):
    answer = bring_in(signed_in(cora), content)
    shown = answer.content.decode()
    assert words in shown
    assert not PlanDraft.objects.exists()
    if content and not content.startswith(b"\xff"):
        assert "Nothing was stored. Correct it in the file and bring the file in again." in shown


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            {"repeats": "until", "until_year": "", "offset_unit": "year"},
            "Write the last year, for example 15.",
        ),
        ({"repeats": "life", "offset_unit": "month"}, "A yearly visit is counted in years."),
        ({"assessments": [], "neoplasia_check": ""}, "a visit with nothing to do cannot be done"),
        ({"code": "9M"}, "Begin with a letter"),
        ({"code": "M6"}, "M6 is the code of Month 6 already."),
        ({"window_before_days": "-1"}, "greater than or equal to 0"),
        ({"offset_value": "99999", "offset_unit": "month"}, "expected 1200 or less"),
    ],
)
def test_a_wrong_visit_is_told_in_words_and_nothing_is_stored(cora: User, signed_in, typed, words):
    draft, browser = draft_of(DEFAULT, cora), signed_in(cora)
    url = reverse("plans:line_edit", args=[draft.pk, "M9"])
    answer = browser.post(url, opened(browser.get(url)) | typed)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert PlanDraft.objects.get().text == draft.text


def test_a_visit_is_added_changed_and_taken_out(cora: User, signed_in):
    draft, browser = draft_of(DEFAULT, cora), signed_in(cora)
    new = reverse("plans:line_new", args=[draft.pk])
    typed = {
        "code": "Y16", "label": "Year 16", "anchor": "first_infusion", "offset_value": "16", "offset_unit": "year",
        "window_before_days": "90", "window_after_days": "90", "repeats": "life", "contact_mode": "phone",
        "neoplasia_check": "on",
    }  # fmt: skip
    assert browser.post(new, opened(browser.get(new)) | typed).status_code == 302
    line = PlanDraft.objects.get().rules.lines[-1]
    assert (line.code, line.yearly_until, line.assessments, line.reminders) == (
        "Y16", "life", ("neoplasia_check",), DEFAULT.reminders,
    )  # fmt: skip
    edit = reverse("plans:line_edit", args=[draft.pk, "Y16"])
    own = {"plan_reminders": "", "days_due_soon": "", "days_due_soon_again": "", "days_window_closing": ""}
    assert browser.post(edit, opened(browser.get(edit)) | own).status_code == 302
    assert [step.step for step in PlanDraft.objects.get().rules.lines[-1].reminders] == [
        "due",
        "overdue",
        "escalated",
    ]
    version = PlanDraft.objects.get().version
    gone = browser.post(reverse("plans:line_remove", args=[draft.pk, "Y16"]), {"version": version})
    assert gone.status_code == 302
    assert PlanDraft.objects.get().rules.lines == DEFAULT.lines
    again = browser.post(
        reverse("plans:line_remove", args=[draft.pk, "Y15"]), {"version": version}, follow=True
    )
    assert "saved by somebody else since you opened it. Nothing was taken out." in again.content.decode()


def test_an_assessment_of_one_s_own_is_added_and_asked_for(cora: User, signed_in):
    draft, browser = draft_of(DEFAULT, cora), signed_in(cora)
    url = reverse("plans:assessment_edit", args=[draft.pk])
    browser.post(url, opened(browser.get(url)) | {"code": "retina", "label": "Retina"})
    edit = reverse("plans:line_edit", args=[draft.pk, "M12"])
    sent = opened(browser.get(edit))
    browser.post(edit, sent | {"assessments": [*sent["assessments"], "retina"]})
    assert "retina" in PlanDraft.objects.get().rules.timepoint("M12").assessments


def test_the_calendar_shows_the_days_asked_for(cora: User, signed_in):
    draft = draft_of(DEFAULT, cora)
    browser = signed_in(cora)
    url = reverse("plans:draft_calendar", args=[draft.pk])
    shown = browser.get(url, {"enrolled_on": "2027-01-17", "infusion_1": "2027-01-31"}).content.decode()
    assert "30 Apr 2027" in shown, "three months after 31 January"
    assert "31 Jul 2027" in shown, "six months after, not chained"
    wrong = browser.get(url, {"enrolled_on": "2027-01-17", "infusion_1": "1500-01-31"}).content.decode()
    assert "Choose a day between 1950 and 2200." in wrong
    assert "No visit to show" in wrong


def test_the_second_person_sees_each_consequence_and_puts_it_in_force(riverside, cora: User, signed_in):
    carl, patient = second_coordinator(), planned(riverside)
    writer, second = signed_in(cora), signed_in(carl)
    draft = draft_of(without("M48"), cora)
    Visit.objects.filter(visit_code="M48").update(booked_for="2034-01-21")
    assert "1 visit that the plan leaves out, begun, booked or" in page(writer, "draft_effects", draft.pk)
    Visit.objects.filter(visit_code="M48").update(booked_for=None)

    def press(browser, name: str, **given: str):
        version = PlanDraft.objects.get().version
        return browser.post(
            reverse(f"plans:{name}", args=[draft.pk]), {"version": version, **given}, follow=True
        )

    assert "It cannot be asked for yet" not in page(writer, "draft", draft.pk)
    press(writer, "draft_ask", reason="Month 48 is dropped")
    assert "Approve alone" in page(writer, "draft", draft.pk)
    shown = page(second, "draft", draft.pk)
    assert "Month 48 is dropped" in shown
    assert "Approve alone" not in shown
    press(second, "draft_approve", reason="")
    effects = page(second, "draft_effects", draft.pk)
    assert "To be weighed by whoever approves it" in effects
    assert patient.patient_id in effects
    assert "Disappears" in effects
    assert "20 Jan 2034" in effects
    done = press(second, "draft_put_in_force", reason="").content.decode()
    assert "0 of 1 enrolled patients of your sites follow it" in done
    tasks.reach_everybody()
    assert visit_of(patient, "M48").state == "not_required"
    assert "all 1 enrolled patient" in page(second, "plan_list")
    assert "Everybody&#x27;s visits agree with it." in page(second, "draft_effects", draft.pk) or (
        "Everybody's visits agree with it." in page(second, "draft_effects", draft.pk)
    )
    assert Visit.objects.filter(visit_code="M48").count() == 1


def test_a_decision_that_came_second_names_the_first(cora: User, signed_in):
    draft, browser = draft_of(without("M9"), cora), signed_in(cora)
    opened_at = draft.version
    actions.ask(draft=draft, reason="First", version=draft.version, by=cora, now=NOW)
    url = reverse("plans:draft_discard", args=[draft.pk])
    answer = browser.post(url, {"version": opened_at, "reason": "Not needed"}, follow=True)
    assert "Only a draft is discarded." in answer.content.decode()
    assert PlanDraft.objects.get().state == "asked"


def test_a_discarded_draft_stays_on_record(cora: User, signed_in):
    draft, browser = draft_of(without("M9"), cora), signed_in(cora)
    url = reverse("plans:draft_discard", args=[draft.pk])
    assert (
        "Write why it is discarded."
        in browser.post(url, {"version": 1, "reason": ""}, follow=True).content.decode()
    )
    browser.post(url, {"version": 1, "reason": "Not needed"})
    assert "Discarded" in page(browser, "plan_list")


def test_the_delay_of_one_s_own_approval_stands_on_the_page(cora: User, signed_in):
    draft, browser = draft_of(without("M9"), cora), signed_in(cora)
    actions.ask(draft=draft, reason="First", version=draft.version, by=cora, now=NOW)
    actions.approve(draft=draft, reason="Nobody else", version=draft.version, by=cora, now=NOW)
    shown = page(browser, "draft", draft.pk)
    assert "Approved by who wrote it: it may be put in force from 15 Mar 2031" in shown
    assert "Stop it" in shown
