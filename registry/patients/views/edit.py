"""Correcting a record: enrolment, identity, eligibility, consent, contacts, status, erasure."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.patients import actions, contacts, rules, status
from registry.patients.eligibility import Eligibility
from registry.patients.forms import (
    ConsentForm,
    ContactForm,
    EditEligibilityForm,
    EditEnrolmentForm,
    EditIdentityForm,
    EnrolmentForm,
    EraseForm,
    IdentityForm,
    PersonForm,
    StatusForm,
)
from registry.patients.identity import IdentityErased
from registry.patients.models import ContactPoint, Enrolment, Patient, Scope
from registry.patients.pages import conflicts, crumbs, patient_for, read_identifiers, with_version
from registry.patients.views.enrol import consent_facts
from registry.saving import ChangedMeanwhile

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
    stored = {name: getattr(enrolment, name) for name in ENROLMENT} | _person(patient)
    form = EditEnrolmentForm(request.POST or None, initial=stored | {"version": enrolment.version})
    found: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            actions.update_enrolment(
                patient=patient, version=answers["version"], reason=answers["reason"], by=user, now=clock.now(),
                facts=actions.EnrolmentFacts(**{name: answers[name] for name in ENROLMENT}),
                person=actions.PersonFacts(**{name: answers[name] for name in PERSON}),
            )  # fmt: skip
            return _saved(request, patient, "Enrolment and baseline saved.")
        except ChangedMeanwhile:
            found = conflicts(form, stored | {"organs_absent": patient.organs_absent})
            form = EditEnrolmentForm(with_version(request, "version", enrolment.version))
        except status.CannotRecord as refusal:
            form.add_error(None, str(refusal))
    return _page(request, patient, form, "Correct enrolment and baseline", conflicts=found)


def _person(patient: Patient) -> dict[str, Any]:
    organs = [organ for organ in patient.organs_absent.split(";") if organ]
    return {name: getattr(patient, name) for name in PERSON} | {"organs_absent": organs}


@needs("identifiers.edit")
def identity_edit(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.edit")
    facts = read_identifiers(user, [patient], now=clock.now()).get(patient.pk)
    stored = {name: getattr(facts, name) if facts else "" for name in IDENTITY}
    form = EditIdentityForm(request.POST or None, initial=stored | {"version": patient.version})
    found: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        try:
            with transaction.atomic():
                actions.correct_identity(
                    patient=patient, facts=form.facts(), version=answers["version"], reason=answers["reason"],
                    by=user, now=clock.now(),
                )  # fmt: skip
            return _saved(request, patient, "Names and numbers saved.")
        except ChangedMeanwhile:
            found = conflicts(form, stored)
            form = EditIdentityForm(with_version(request, "version", patient.version))
        except IntegrityError:
            form.add_error("local_id", "This record number belongs to another patient of the site.")
        except (status.CannotRecord, IdentityErased) as refusal:
            form.add_error(None, str(refusal))
    return _page(request, patient, form, "Correct names and numbers", conflicts=found)


@needs("patients.edit")
def eligibility_edit(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "patients.edit")
    row = Eligibility.objects.filter(patient=patient).first()
    version = row.version if row else 0
    form = EditEligibilityForm(request.POST or None, initial=_initial(row) | {"form_version": version})
    form.fields["reason"].required = bool(row)
    found: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        answers = dict(form.cleaned_data)
        reason, started_from = answers.pop("reason"), answers.pop("form_version")
        try:
            actions.save_eligibility(
                patient=patient,
                answers=answers,
                version=started_from,
                reason=reason,
                by=user,
                now=clock.now(),
            )
            return _saved(request, patient, "Eligibility and complications saved.")
        except ChangedMeanwhile:
            found = conflicts(form, _initial(row))
            form = EditEligibilityForm(with_version(request, "form_version", version))
    return _page(request, patient, form, "Eligibility and complications", conflicts=found)


def _initial(row: Eligibility | None) -> dict[str, Any]:
    names = [name for name in EditEligibilityForm.base_fields if name not in ("reason", "form_version")]
    return {name: getattr(row, name) for name in names} if row else {}


@needs("consent.record")
def consent_add(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "consent.record")
    form = ConsentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        facts = consent_facts(form.cleaned_data)
        try:
            if facts:
                actions.record_consent(patient=patient, facts=facts, by=user, now=clock.now())
            return _saved(request, patient, "Consent recorded.", tab="desk:patient_consent")
        except status.CannotRecord as refusal:
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
            if facts.scope == Scope.ERASE:
                return redirect("patients:erase", patient.patient_id)
            return _saved(request, patient, "Status recorded.", tab="desk:patient_consent")
        except status.CannotRecord as refusal:
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


@needs("consent.record")
def erase(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "consent.record")
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            status.erase_identifiers(
                patient=patient, typed_id=form.cleaned_data["typed_id"], by=user, now=clock.now()
            )
            return _saved(request, patient, "Identifiers erased. The pseudonymous record stays.")
        except status.CannotRecord as refusal:
            form.add_error("typed_id", str(refusal))
    return _page(request, patient, form, "Erase identifiers", template="patients/erase.html")


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
        except IdentityErased as refusal:
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
    contacts.verify_contact(point=point, on=patient.site.today(), by=user)
    return redirect("patients:contact_list", patient.patient_id)


@needs("identifiers.edit")
@require_POST
def contact_end(request: HttpRequest, patient_id: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    patient = patient_for(user, patient_id, "identifiers.edit")
    point = get_object_or_404(ContactPoint, patient=patient, pk=pk)
    contacts.end_contact(point=point, on=patient.site.today(), by=user)
    return redirect("patients:contact_list", patient.patient_id)


def _saved(
    request: HttpRequest, patient: Patient, words: str, tab: str = "desk:patient_record"
) -> HttpResponse:
    messages.success(request, words)
    return redirect(tab, patient.patient_id)


def _page(
    request: HttpRequest, patient: Patient, form: forms.BaseForm, title: str,
    template: str = "patients/form_page.html", **more: Any,
) -> HttpResponse:  # fmt: skip
    context = {"patient": patient, "form": form, "title": title, "breadcrumbs": crumbs(patient, title)} | more
    return render(request, template, context)
