"""The pages that look across rooms."""

from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from followup.desk import overview, record
from followup.desk.facts import facts_of, planned_visits
from followup.desk.forms import TodayFilter
from followup.desk.rights import rights_of
from followup.desk.strip import actions_for, strip_for, tabs_for
from followup.desk.wording import window_words
from followup.desk.worklist import Worklist, todays_work
from followup.labs.models import LabResult
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.reports.signed_copies import reports_to_sign
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit
from registry import clock
from registry.access.blinding import sees_product
from registry.access.guards import needs, signed_in
from registry.access.masking import hidden_from
from registry.access.masking import words as masked_words
from registry.access.models import Site, User
from registry.access.policy import ACTS
from registry.handover.history import transfers_of
from registry.infusions.models import Infusion, InfusionDose
from registry.partial_dates import in_words
from registry.patients.models import Consent, Patient, Status, StatusEvent
from registry.patients.pages import read_identifiers

# Everybody with any right has one of these.
EVERYBODY = tuple(ACTS)

# Home and Today ----------------------------------------------------------------------------------------------

HOME_PAGES = (
    ("worklist.view", "desk:today"),
    ("patients.view", "desk:overview"),
    ("cells.view", "products:lot_list"),
    ("settings.view", "access:settings"),
)


@require_safe
@needs(*EVERYBODY)
def home(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    return redirect(next(page for act, page in HOME_PAGES if user.may(act)))


@require_safe
@needs("worklist.view")
def today(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    sites = list(user.sites("worklist.view"))
    form = TodayFilter(request.GET, sites=sites)
    show_all = request.GET.get("all", "")
    work = todays_work(user, sites=sites, chosen=form.site, mine=form.is_mine, show_all=show_all, now=now)
    days = _site_days([form.site] if form.site else sites, work)
    asked = request.GET.copy()
    asked.pop("all", None)
    context = {
        "form": form,
        "work": work,
        "show_all": show_all,
        "title_site": _title_site(form.site, sites),
        "site_days": days,
        "nobody_late": f"Nobody was overdue on {' / '.join(dict.fromkeys(in_words(e['day']) for e in days))}.",
        "query": f"{asked.urlencode()}&" if asked else "",
        "sees_visits": user.may("visits.view"),
        "sees_names": user.may("identifiers.view"),
        "to_sign": reports_to_sign(user),
    }
    return render(request, "desk/today.html", context)


def _title_site(chosen: Site | None, sites: list[Site]) -> str:
    if chosen:
        return chosen.name
    return sites[0].name if len(sites) == 1 else f"all {len(sites)} sites"


def _site_days(sites: list[Site], work: Worklist) -> list[dict[str, Any]]:
    """The day at each site; sites that share a day share an entry, and one day alone needs no names."""
    by_day: dict[date, list[str]] = {}
    for site in sites:
        by_day.setdefault(work.days[site.pk], []).append(site.name)
    return [
        {"day": day, "names": ", ".join(names) if len(by_day) > 1 else ""}
        for day, names in sorted(by_day.items())
    ]


# One person --------------------------------------------------------------------------------------------------


def _patient(user: User, patient_id: str) -> Patient:
    visible = Patient.objects.visible_to(user).select_related("site")
    return get_object_or_404(visible, patient_id=patient_id)


def _tab(request: HttpRequest, patient_id: str, active: str) -> dict[str, Any]:
    """What every tab of the record shows above its own part."""
    user, now = signed_in(request), clock.now()
    patient = _patient(user, patient_id)
    day = clock.local_date(now, patient.site.time_zone)
    facts = facts_of(patient, user, day)
    identity = read_identifiers(user, [patient], now=now).get(patient.pk)
    return {
        "user": user,
        "patient": patient,
        "today": day,
        "facts": facts,
        "strip": strip_for(patient, user, day, identity=identity, facts=facts)
        | {"actions": actions_for(patient, user)},
        "tabs": tabs_for(patient, user, active),
    }


@require_safe
@needs("patients.view")
def patient_record(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = _tab(request, patient_id, "overview")
    facts, user = context["facts"], signed_in(request)
    results = record.results_of(facts, user)
    context |= {
        "chart": record.timeline(facts, results),
        "latest": record.latest_results(results, facts.patient.sex_at_birth),
        "next_visits": [_next_row(visit, facts.day) for visit in facts.next_visits],
        "masked": masked_words(hidden_from(user, LabResult, facts.patient.site_id)),
        "sees_labs": user.may("labs.view", facts.patient.site_id),
        "sees_work": user.may("worklist.view", facts.patient.site_id),
    }
    return render(request, "desk/patient_record.html", context)


def _next_row(visit: Visit, day: date) -> dict[str, Any]:
    words = window_words(visit.window_opens, visit.window_closes, day)
    return {"visit": visit, "status": visit.status_on(day), "window_words": words}


@require_safe
@needs("events.view")
def patient_events(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = _tab(request, patient_id, "events")
    events = AdverseEvent.objects.visible_to(signed_in(request)).filter(patient=context["patient"])
    newest = events.select_related("infusion").order_by("-onset_date", "-pk")
    context["events"] = newest
    context["may_record"] = signed_in(request).may("events.record", context["patient"].site_id)
    return render(request, "desk/patient_events.html", context)


@require_safe
@needs("neoplasia.view")
def patient_neoplasia(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = _tab(request, patient_id, "neoplasia")
    user, patient = signed_in(request), context["patient"]
    checks = (
        NeoplasiaCheck.objects.visible_to(user).filter(patient=patient).select_related("visit__timepoint")
    )
    context |= {
        "checks": checks.order_by("-on_date", "-pk"),
        "cases": Neoplasm.objects.visible_to(user).filter(patient=patient).order_by("-suspected_on", "-pk"),
        "next_check": planned_visits(user, patient).filter(neoplasia_check=True).first(),
        "may_record": user.may("neoplasia.record", patient.site_id),
    }
    return render(request, "desk/patient_neoplasia.html", context)


@require_safe
@needs("infusions.view")
def patient_infusions(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = _tab(request, patient_id, "infusions")
    user, patient = signed_in(request), context["patient"]
    doses = InfusionDose.objects.select_related("lot").order_by("pk")
    infusions: QuerySet[Infusion] = Infusion.objects.visible_to(user).filter(patient=patient)
    is_open = sees_product(user, patient.site_id)
    context |= {
        "infusions": infusions.prefetch_related(Prefetch("doses", queryset=doses)) if is_open else infusions,
        "sees_product": is_open,
        "may_unblind": user.may("unblinding.emergency", patient.site_id),
        "may_record": user.may("infusions.record", patient.site_id),
        "may_order": user.may("infusions.order", patient.site_id),
    }
    return render(request, "desk/patient_infusions.html", context)


@require_safe
@needs("consent.view")
def patient_consent(request: HttpRequest, patient_id: str) -> HttpResponse:
    context = _tab(request, patient_id, "consent")
    patient = context["patient"]
    consents = Consent.objects.filter(patient=patient).select_related("document")
    newest = consents.order_by("-signed_on", "-pk")
    context |= {
        "consents": [{"consent": one, "tiers": _tiers(one)} for one in newest],
        "history": StatusEvent.objects.filter(patient=patient).order_by("-on_date", "-pk"),
        "may_record": signed_in(request).may("consent.record", patient.site_id),
        "transfers": transfers_of(patient),
        "may_transfer": signed_in(request).may("patients.transfer", patient.site_id),
        "opens_transfers": any(signed_in(request).may(a, patient.site_id) for a in TRANSFER_ACTS),
        "corrections": _corrections(patient, signed_in(request)),
        "rights": rights_of(patient, signed_in(request)),
    }
    return render(request, "desk/patient_consent.html", context)


TRANSFER_ACTS = ("patients.transfer", "patients.receive")
CORRECTIONS = (
    ("Contacts", "identifiers.view", "patients:contact_list"),
    ("Name and identifiers", "identifiers.edit", "patients:identity_edit"),
    ("Enrolment and baseline", "patients.edit", "patients:enrolment_edit"),
    ("Eligibility", "patients.edit", "patients:eligibility_edit"),
)


def _corrections(patient: Patient, user: User) -> list[dict[str, str]]:
    return [
        {"label": label, "url": reverse(name, args=[patient.patient_id])}
        for label, act, name in CORRECTIONS
        if user.may(act, patient.site_id)
    ]


def _tiers(consent: Consent) -> list[dict[str, Any]]:
    return [{"label": label, "given": getattr(consent, name)} for name, label in Consent.TIERS.items()]


# Across sites ------------------------------------------------------------------------------------------------


@require_safe
@needs("patients.view")
def site_overview(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    sites = list(user.sites("patients.view"))
    days = {site.pk: clock.local_date(now, site.time_zone) for site in sites}
    rows = overview.site_rows(user, sites, days)
    context = {
        "rows": rows,
        "total": overview.total_row(rows) if len(rows) > 1 else None,
        "statuses": [overview.SHORT.get(status, status.label) for status in Status],
        "now": now,
    }
    return render(request, "desk/overview.html", context)


DATA_PARTS = (
    ("Bring in a file", "Check a file row by row before anything is stored, then confirm.", "import", "exchange:import_new"),
    ("Files brought in", "What was brought in, by whom, with its totals.", "import", "exchange:import_list"),
    (
        "Take data out",
        "Tables as CSV, pseudonymous, with a manifest.",
        "export.pseudonymised export.own_results", "exchange:export_list",
    ),
    ("Erasures", "Identifiers to be erased, asked for by a site.", "erasure.carry_out", "patients:erasure_list"),
    ("Queries", "Facts that contradict each other or break a rule, to be answered.", "queries.view", "patients:query_list"),
    ("Unblindings", "Who learnt before the end what one patient was given.", "unblinding.view", "infusions:unblinding_list"),
    (
        "Transfers",
        "People who move from one site to another: asked, answered, taken over.",
        "patients.transfer patients.receive", "handover:transfer_list",
    ),
    (
        "Open a record in an emergency",
        "One patient of another site, read only, for an hour, with a reason.",
        "records.open", "handover:record_open",
    ),
    (
        "Emergency readings",
        "Who opened a record of your site in an emergency, why, and what was read.",
        "records.opened", "handover:opening_list",
    ),
    (
        "Trail",
        "What was done, by whom, when and why; searched, reviewed, printed.",
        "audit.view audit.own audit.product audit.system", "trail:search",
    ),
    ("Control of reminders", "Whether every reminder that was due is accounted for.", "reminders.control", "reminders:control"),
    ("Site overview", "The sites side by side: patients, late visits, completeness.", "patients.view", "desk:overview"),
)  # fmt: skip
IMPORT_ACTS = (
    "import.sites", "import.lots", "import.patients", "import.status", "import.infusions", "import.visits",
    "import.labs", "import.treatments", "import.adverse_events",
)  # fmt: skip


@require_safe
@needs(*EVERYBODY)
def data(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    may_import = any(user.may(act) for act in IMPORT_ACTS)
    parts = [
        {"title": title, "text": text, "url": reverse(name)}
        for title, text, act, name in DATA_PARTS
        if (may_import if act == "import" else any(user.may(one) for one in act.split()))
    ]
    return render(request, "desk/data.html", {"parts": parts})
