"""The numbers of a safety report, collected from the registry at a cut-off. The same data and period give the same numbers."""

from collections.abc import Sequence
from datetime import date

from followup.reports import collect_events as events
from followup.reports import collect_neoplasia as neoplasms
from followup.reports import collect_people as people
from followup.reports.cohort import Frame, Person, load_cohort
from followup.reports.collect_closed import closed_part
from followup.reports.collect_follow_up import follow_up, load_visits, open_queries
from followup.reports.collect_glycaemia import glycaemia
from followup.reports.numbers import SAFETY_SCHEMA, Definition, ReconciliationRow, SafetyNumbers
from followup.reports.provenance import cover, versions
from followup.reports.rules import numbers_add_up
from registry.access.masking import masked_analytes
from registry.access.masking import words as masked_words
from registry.access.models import Registry, Site
from registry.infusions.models import Infusion

TITLE = "Periodic safety report"
CLOSED_TITLE = "Closed safety report"


class NumbersDisagree(Exception):
    """The numbers contradict each other; a report is not issued from them. The message names each contradiction."""


def collect_safety(
    *, site: Site | None, period_from: date, period_to: date, is_closed: bool = False
) -> SafetyNumbers:
    """Everybody of the site, or of all sites, at the end of `period_to`. Where the protocol is blinded only a closed
    report says what was given. Raises NumbersDisagree.
    """
    shows_product = is_closed or not Registry.current().blinded
    sites = [site] if site else list(Site.objects.order_by("code"))
    site_ids = tuple(one.pk for one in sites)
    persons = load_cohort(site_ids, period_to, shows_product=shows_product)
    frame = Frame(site_ids, period_from, period_to, persons, shows_product)
    numbers = _numbers(frame, sites, is_closed=is_closed)
    if contradictions := numbers_add_up(numbers):
        raise NumbersDisagree(" ".join(contradictions))
    return numbers


def _numbers(frame: Frame, sites: Sequence[Site], *, is_closed: bool) -> SafetyNumbers:
    counted, event_row = events.load_events(frame)
    cases, case_row = neoplasms.load_cases(frame)
    visits, visit_row = load_visits(frame)
    title = CLOSED_TITLE if is_closed else TITLE
    numbers: SafetyNumbers = {
        "schema": SAFETY_SCHEMA,
        "cover": cover(title=title, sites=sites, period_from=frame.period_from, cut_off=frame.cut_off),
        "persons_in_registry": len(frame.persons),
        "disposition": people.disposition(frame),
        "withdrawals": people.withdrawals(frame),
        "transfers": people.transfers(frame),
        "sexes": people.sexes(frame),
        "baseline": people.baseline(frame),
        "exposure": people.exposure(frame),
        "event_overview": events.overview(counted, frame),
        "event_classes": events.event_classes(counted),
        "event_terms": events.event_terms(counted),
        "infusion_reactions": events.infusion_reactions(frame),
        "serious_events": events.serious_events(counted, frame),
        "special_interest": events.special_interest(counted),
        "neoplasia": neoplasms.neoplasia(cases, frame),
        "follow_up": follow_up(visits, frame),
        "glycaemia": glycaemia(frame),
        "queries": open_queries(frame),
        "reconciliation": [_patients(frame.persons), _infusions(frame), visit_row, event_row, case_row],
        "definitions": DEFINITIONS,
        "versions": versions(),
    }
    if is_closed:
        numbers["closed"] = closed_part(frame, counted, cases)
    elif masked := masked_analytes():
        numbers["masked"] = masked_words(masked)
    return numbers


def _patients(persons: Sequence[Person]) -> ReconciliationRow:
    infused = sum(person.is_infused for person in persons)
    later = sum(not person.is_counted for person in persons)
    excluded = {"never infused": len(persons) - infused - later, "enrolled after the cut-off": later}
    return {
        "record": "patients",
        "in_registry": len(persons),
        "excluded": {rule: n for rule, n in excluded.items() if n},
        "counted": infused,
    }


def _infusions(frame: Frame) -> ReconciliationRow:
    in_registry = Infusion.objects.filter(patient__site__in=frame.site_ids).count()
    counted = sum(len(person.infusions) for person in frame.persons)
    later = in_registry - counted
    excluded = {"given after the cut-off": later} if later else {}
    return {"record": "infusions", "in_registry": in_registry, "excluded": excluded, "counted": counted}


def _define(*meanings: tuple[str, str]) -> list[Definition]:
    return [{"term": term, "meaning": meaning} for term, meaning in meanings]


DEFINITIONS = _define(
    ("Cut-off", "The end of the last day of the period at each site. What is dated later is not counted."),
    (
        "Person-years",
        "From the first infusion to the earliest of death, loss to follow-up, completion, withdrawal from all data and "
        "cut-off, the last day not counted, in days divided by 365.25.",
    ),
    (
        "Event counted",
        "Of a person infused, and not certainly before the first infusion. An event known by year or month only counts "
        "from the first day, and in the period where any reading of its date lies in it.",
    ),
    (
        "Serious",
        "Marked serious, with a criterion, fatal or grade 5. Until assessed a serious event counts as related and unexpected.",
    ),
    (
        "Neoplasia counted",
        "The first malignant neoplasm of a person after the first infusion, as confirmed or as reported. Not counted: "
        "suspected, benign, present before, and basal- or squamous-cell skin cancer (C44 with 8010 to 8110).",
    ),
    (
        "Neoplasia person-time",
        "From the first infusion to the last day somebody looked or asked for a neoplasm, the case, death or the cut-off.",
    ),
    ("Exact interval", "95 %, two-sided: rates after Garwood, shares after Clopper and Pearson."),
    (
        "Baseline",
        "The last value before the first infusion: HbA1c within 90 days, C-peptide and indices within 60, insulin the mean "
        "of the 7 days before. Older values are no baseline.",
    ),
    (
        "Overdue",
        "The window of the visit closed before the cut-off and nobody had held, missed or excused it.",
    ),
)
