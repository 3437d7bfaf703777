"""Writing a plan: begin, bring in, change part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from followup.plans import actions, pages
from followup.plans.actions import Refused
from followup.plans.forms import (
    AssessmentForm,
    FileForm,
    HeadForm,
    LineForm,
    StartForm,
    head_as_values,
    line_as_values,
    steps_as_values,
)
from followup.plans.models import PlanDraft
from followup.schedule.plan_fields import PlanError
from followup.schedule.plan_file import Plan, Timepoint
from registry import clock
from registry.access.conflicts import Edit, Was
from registry.access.guards import needs, signed_in
from registry.saving import ChangedMeanwhile, NotAccepted, made_by


@require_safe
@needs("plans.view")
def plan_list(request: HttpRequest) -> HttpResponse:
    context = pages.page_frame(request) | pages.overview(signed_in(request), clock.now())
    return render(request, "plans/plan_list.html", context)


@needs("plans.edit")
def draft_new(request: HttpRequest) -> HttpResponse:
    form = StartForm(request.POST or None, initial={"start": "in_force"})

    def begin() -> PlanDraft:
        return actions.begin(by=signed_in(request), now=clock.now(), **form.cleaned_data)

    return _created(request, form, begin, {"title": "Begin a plan", "submit": "Begin the draft"})


@needs("plans.edit")
def draft_import(request: HttpRequest) -> HttpResponse:
    form = FileForm(request.POST or None, request.FILES or None)

    def bring_in() -> PlanDraft:
        answers, name = form.cleaned_data, str(form.files["file"])
        return actions.bring_in(
            text=answers["file"], name=name, form_token=answers["form_token"], by=signed_in(request), now=clock.now()
        )  # fmt: skip

    return _created(request, form, bring_in, {"title": "Bring in a plan", "submit": "Bring in the plan"})


def _created(
    request: HttpRequest, form: StartForm | FileForm, make: Callable[[], PlanDraft], texts: dict[str, str]
) -> HttpResponse:
    if first := made_by(PlanDraft, request.POST.get("form_token", "")):
        return redirect("plans:draft", pk=first.pk)
    if request.method == "POST" and form.is_valid():
        try:
            draft = make()
            messages.success(
                request, "The draft is begun. Nobody follows it until it is approved and put in force."
            )
            return redirect("plans:draft", pk=draft.pk)
        except NotAccepted as refusal:
            form.add_error(None, refusal.message)
        except PlanError as error:
            where = f"Line {error.line}: " if error.line else ""
            form.add_error("file" if "file" in form.fields else None, f"{where}{error}. {TO_DO}")
    return render(
        request, "plans/form.html", pages.page_frame(request, (texts["title"], "")) | {"form": form} | texts
    )


TO_DO = "Nothing was stored. Correct it in the file and bring the file in again."


@require_safe
@needs("plans.view")
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    row, now = _draft(pk), clock.now()
    user = signed_in(request)
    context = pages.draft_frame(request, row, "plans:draft", now) | pages.deciding(row, user)
    shown = {"lines": list(pages.lines_of(row.rules)), "steps": pages.steps_of(row.rules)}
    return render(request, "plans/draft.html", context | shown)


def _draft(pk: int) -> PlanDraft:
    found = PlanDraft.objects.select_related(
        "created_by", "asked_by", "decided_by", "in_force_by", "compared_with"
    )
    return get_object_or_404(found, pk=pk)


# Parts -------------------------------------------------------------------------------------------------------


@needs("plans.edit")
def draft_head(request: HttpRequest, pk: int) -> HttpResponse:
    row = _draft(pk)
    form = HeadForm(request.POST or None, initial=head_as_values(row.rules) | {"version": row.version})
    edit = Edit(form, row, lambda was: head_as_values(was(row).rules))

    def save() -> str:
        answers = form.cleaned_data
        actions.save_head(
            draft=row, code=answers["code"], title=answers["title"], source=answers["source"], reminders=form.steps(),
            version=answers["version"], by=signed_in(request),
        )  # fmt: skip
        return "The plan's title and reminders are saved."

    return _part(
        request, row, form, edit, save, {"title": "Title, source and reminders", "template": "head_form"}
    )


@needs("plans.edit")
def line_new(request: HttpRequest, pk: int) -> HttpResponse:
    return _line(request, _draft(pk), None)


@needs("plans.edit")
def line_edit(request: HttpRequest, pk: int, code: str) -> HttpResponse:
    row = _draft(pk)
    line = _line_of(row.rules, code)
    if line is None:
        raise Http404
    return _line(request, row, line)


def _line_of(plan: Plan, code: str) -> Timepoint | None:
    return next((line for line in plan.lines if line.code == code), None)


def _line(request: HttpRequest, row: PlanDraft, line: Timepoint | None) -> HttpResponse:
    plan, code = row.rules, line.code if line else ""
    stands = line_as_values(line, plan) if line else steps_as_values(plan.reminders)
    form = LineForm(request.POST or None, plan=plan, initial=stands | {"version": row.version})

    def values(was: Was) -> dict[str, Any]:
        """Of a visit that was not there then, what an empty form shows."""
        then = was(row).rules
        known = _line_of(then, code)
        return line_as_values(known, then) if known else {}

    def save() -> str:
        new = form.line()
        actions.save_line(
            draft=row, line=new, instead_of=code, version=form.cleaned_data["version"], by=signed_in(request)
        )
        return f"{new.label} is saved."

    title = f"Change {line.label}" if line else "Add a visit"
    texts = {"title": title, "template": "line_form"}
    return _part(request, row, form, Edit(form, row, values), save, texts)


@needs("plans.edit")
def assessment_edit(request: HttpRequest, pk: int) -> HttpResponse:
    row = _draft(pk)
    form = AssessmentForm(request.POST or None, initial={"version": row.version})

    def save() -> str:
        new = form.assessment()
        actions.save_assessment(
            draft=row, assessment=new, version=form.cleaned_data["version"], by=signed_in(request)
        )
        return f"The assessment “{new.label}” is saved."

    texts = {"title": "Assessments of the plan", "template": "assessment_form"}
    return _part(request, row, form, Edit(form, row, lambda was: {}), save, texts)


def _part(
    request: HttpRequest, row: PlanDraft, form: forms.Form, edit: Edit, save: Callable[[], str], texts: dict[str, str]
) -> HttpResponse:  # fmt: skip
    if edit.ready():
        try:
            messages.success(request, save())
            return redirect("plans:draft", pk=row.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile:
            edit.moved_on()
    url = reverse("plans:draft", args=[row.pk])
    context = pages.page_frame(request, (str(row), url), (texts["title"], "")) | {
        "draft": row, "plan": row.rules, "form": form, "conflicts": edit.conflicts, "title": texts["title"], "cancel_url": url,
    }  # fmt: skip
    return render(request, f"plans/{texts['template']}.html", context, status=edit.status)


@require_POST
@needs("plans.edit")
def line_remove(request: HttpRequest, pk: int, code: str) -> HttpResponse:
    row = _draft(pk)
    try:
        version = int(request.POST.get("version", "-1"))
        actions.remove_line(draft=row, code=code, version=version, by=signed_in(request))
        messages.success(request, f"{code} is taken out of the draft.")
    except ValueError:
        messages.error(request, "The form was incomplete. Open the draft again.")
    except (Refused, ChangedMeanwhile) as refusal:
        messages.error(request, f"{refusal} Nothing was taken out.")
    return redirect("plans:draft", pk=pk)
