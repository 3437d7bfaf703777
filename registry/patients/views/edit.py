"""Correcting a record: enrolment, identity, eligibility, consent, contacts, status."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from registry import clock
from registry.access.conflicts import Edit, Was, decided_first
from registry.access.guards import needs, signed_in
from registry.patients import actions, contacts, rules, status
from registry.patients.eligibility import Eligibility
from registry.patients.forms import (
    ContactForm,
    EditEligibilityForm,
    EditEnrolmentForm,
    EditIdentityForm,
    EnrolmentForm,
    IdentityForm,
    NewConsentForm,
    PersonForm,
    StatusForm,
)
from registry.patients.identity import IdentityErased, IdentityFacts, facts_in
from registry.patients.models import ContactPoint, Enrolment, Identity, Patient, Scope
from registry.patients.pages import crumbs, patient_for, read_identifiers
from registry.patients.views.enrol import consent_facts
from registry.saving import ChangedMeanwhile, NotAccepted

PERSON = tuple(PersonForm.base_fields)
ENROLMENT = tuple(EnrolmentForm.base_fields)
IDENTITY = tuple(IdentityForm.base_fields)
ALLOWED = {
    "may_infuse": "cells",
    "may_visit_on_site": "visits",
    "may_contact": "contact",
    "may_use_records": "records",
    "keeps_identifiers": "names kept",
}


@needs("patients.edit")
def enrolment_edit(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "patients.edit")
    enrolment = get_object_or_404(Enrolment, patient=patient)
    edit = Edit(
        EditEnrolmentForm(request.POST or None, initial=_as_enrolled(enrolment, lambda row: row) | {"version": enrolment.version}),
        enrolment, lambda was: _as_enrolled(enrolment, was),
    )  # fmt: skip
    if edit.ready():
        answers = edit.form.cleaned_data
        try:
            actions.update_enrolment(
                patient=patient, version=answers["version"], reason=answers["reason"], by=user, now=clock.now(),
                facts=actions.EnrolmentFacts(**{name: answers[name] for name in ENROLMENT}),
                person=actions.PersonFacts(**{name: answers[name] for name in PERSON}),
            )  # fmt: skip
            return _saved(request, patient, "Enrolment and baseline saved.")
        except ChangedMeanwhile:
            edit.moved_on()
        except status.CannotRecord as refusal:
            edit.form.add_error(None, str(refusal))
    return _page(request, patient, edit, "Correct enrolment and baseline")


def _as_enrolled(enrolment: Enrolment, was: Was) -> dict[str, Any]:
    stood, person = was(enrolment), was(enrolment.patient)
    organs = [organ for organ in person.organs_absent.split(";") if organ]
    values = {name: getattr(stood, name) for name in ENROLMENT} | {
        name: getattr(person, name) for name in PERSON
    }
    return values | {"organs_absent": organs}


@needs("identifiers.edit")
def identity_edit(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.edit")
    facts = read_identifiers(user, [patient], now=clock.now()).get(patient.pk)
    stored = {name: getattr(facts, name) if facts else "" for name in IDENTITY}
    form = EditIdentityForm(request.POST or None, initial=stored | {"version": patient.version})
    edit = Edit(form, patient, lambda was: _as_named(patient, was))
    if edit.ready():
        answers = form.cleaned_data
        try:
            with transaction.atomic():
                actions.correct_identity(
                    patient=patient, facts=form.facts(), version=answers["version"], reason=answers["reason"],
                    by=user, now=clock.now(),
                )  # fmt: skip
            return _saved(request, patient, "Names and numbers saved.")
        except ChangedMeanwhile:
            edit.moved_on()
        except IntegrityError:
            form.add_error("local_id", "This record number belongs to another patient of the site.")
        except (status.CannotRecord, IdentityErased) as refusal:
            form.add_error(None, str(refusal))
    return _page(request, patient, edit, "Correct names and numbers")


def _as_named(patient: Patient, was: Was) -> dict[str, Any]:
    row = Identity.objects.filter(patient=patient).first()
    stood = was(row) if row else None
    facts = facts_in(stood) if stood else IdentityFacts()
    return {name: getattr(facts, name) for name in IDENTITY}


@needs("patients.edit")
def eligibility_edit(request: HttpRequest, patient_id: str) -> HttpResponse:
    """The first save needs no reason; whatever is answered, "not known" too, is changed with one."""
    user = signed_in(request)
    patient = patient_for(user, patient_id, "patients.edit")
    row = Eligibility.objects.filter(patient=patient).first() or Eligibility(patient=patient, version=0)
    initial = _as_answered(row, lambda row: row) | {"version": row.version}
    form = EditEligibilityForm(request.POST or None, initial=initial)
    form.fields["reason"].required = bool(row.pk)
    edit = Edit(form, row, lambda was: _as_answered(row, was), began_empty=True)
    if edit.ready():
        answers = dict(form.cleaned_data)
        reason, version = answers.pop("reason"), answers.pop("version")
        try:
            actions.save_eligibility(
                patient=patient, answers=answers, version=version, reason=reason, by=user, now=clock.now()
            )
            return _saved(request, patient, "Eligibility and complications saved.")
        except ChangedMeanwhile:
            row = Eligibility.objects.filter(patient=patient).first() or row
            edit = Edit(form, row, lambda was: _as_answered(row, was), began_empty=True)
            edit.moved_on()
    return _page(request, patient, edit, "Eligibility and complications")


def _as_answered(row: Eligibility, was: Was) -> dict[str, Any]:
    names = [name for name in EditEligibilityForm.base_fields if name not in ("reason", "version")]
    stood = was(row)
    return {name: getattr(stood, name) for name in names} if stood and stood.pk else {}


@needs("consent.record")
def consent_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "consent.record")
    form = NewConsentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        facts = consent_facts(form.cleaned_data)
        try:
            if facts:
                actions.record_consent(patient=patient, facts=facts, by=user, now=clock.now())
            return _saved(request, patient, "Consent recorded.", tab="desk:patient_consent")
        except (status.CannotRecord, NotAccepted) as refusal:
            form.add_error("signed_on", str(refusal))
    return _page(request, patient, form, "Record a consent")


@needs("consent.record")
def status_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "consent.record")
    form = StatusForm(request.POST or None, initial={"on_date": patient.site.today().isoformat()})
    if request.method == "POST" and form.is_valid():
        try:
            facts = status.StatusFacts(**form.cleaned_data)
            status.record_status(patient=patient, facts=facts, by=user, now=clock.now())
            if facts.scope == Scope.ERASE and user.may("erasure.ask", patient.site_id):
                return redirect("patients:erase", patient.patient_id)
            return _saved(request, patient, "Status recorded.", tab="desk:patient_consent")
        except (status.CannotRecord, NotAccepted) as refusal:
            form.add_error(None, str(refusal))
    return _page(
        request, patient, form, "Record status, withdrawal or death", template="patients/status_form.html",
        consequences=_consequences(),
    )  # fmt: skip


def _consequences() -> list[dict[str, Any]]:
    """What each scope leaves, from the rules that act on it."""
    return [
        {
            "scope": Scope(scope).label,
            "leaves": [{"label": label, "kept": getattr(rules.scope_effect([scope]), name)} for name, label in ALLOWED.items()],
        }
        for scope in rules.WITHDRAWAL_SCOPES
    ]  # fmt: skip


# Contacts ----------------------------------------------------------------------------------------------------


@needs("identifiers.view")
def contact_list(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.view")
    form = ContactForm(request.POST or None, initial={"valid_from": patient.site.today()})
    if request.method == "POST" and form.is_valid():
        try:
            contacts.add_contact(patient=patient, facts=contacts.ContactFacts(**form.cleaned_data), by=user)
            messages.success(request, "Contact added.")
            return redirect("patients:contact_list", patient.patient_id)
        except (IdentityErased, NotAccepted) as refusal:
            form.add_error(None, str(refusal))
    facts = read_identifiers(user, [patient], now=clock.now()).get(patient.pk)
    return _page(
        request, patient, form, "Contacts", template="patients/contact_list.html", identity=facts,
        contacts=contacts.contacts_of(patient), may_edit=user.may("identifiers.edit", patient.site_id),
        today=patient.site.today(),
    )  # fmt: skip


@needs("identifiers.edit")
@require_POST
def contact_verify(request: HttpRequest, patient_id: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.edit")
    point = get_object_or_404(ContactPoint, patient=patient, pk=pk)
    back_url = reverse("patients:contact_list", args=[patient.patient_id])
    try:
        contacts.verify_contact(point=point, on=patient.site.today(), by=user)
    except ChangedMeanwhile as news:
        return decided_first(request, point, str(news), back_url)
    return redirect(back_url)


@needs("identifiers.edit")
@require_POST
def contact_end(request: HttpRequest, patient_id: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.edit")
    point = get_object_or_404(ContactPoint, patient=patient, pk=pk)
    back_url = reverse("patients:contact_list", args=[patient.patient_id])
    try:
        contacts.end_contact(point=point, on=patient.site.today(), by=user)
    except ChangedMeanwhile as news:
        return decided_first(request, point, str(news), back_url)
    return redirect(back_url)


def _saved(
    request: HttpRequest, patient: Patient, words: str, tab: str = "desk:patient_record"
) -> HttpResponse:
    messages.success(request, words)
    return redirect(tab, patient.patient_id)


def _page(
    request: HttpRequest, patient: Patient, shown: forms.BaseForm | Edit, title: str,
    template: str = "patients/form_page.html", **more: Any,
) -> HttpResponse:  # fmt: skip
    edit = shown if isinstance(shown, Edit) else None
    context = {
        "patient": patient, "form": edit.form if edit else shown, "title": title, "breadcrumbs": crumbs(patient, title),
        "conflicts": edit.conflicts if edit else None,
    }  # fmt: skip
    return render(request, template, context | more, status=edit.status if edit else 200)
