"""What happens at Harbour changes nothing that anybody of Riverside can get: no page, no file, no count.

One fact is shared on purpose: how many cells are left in a lot that several sites draw from, because a site
that plans an infusion must know it. Who drew them stays with the sites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.test import Client
from django.urls import reverse

from followup.neoplasia.rules import ITEM_BY_CODE
from registry import clock
from registry.access.models import Site, User
from registry.audit.coverage import audited_models
from registry.patients.contacts import ContactFacts, add_contact
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import ContactPoint, Enrolment, Identity, Patient, PatientKey, SearchWord
from registry.products.models import Donor, Lot, ReleaseTest
from tests.cast import NOW, person
from tests.rights_cases import every_case
from tests.rights_cases.handover import third_site
from tests.rights_world import ACROSS, ENROLLED_ON, World, make_world
from tests.test_rights import BACKEND, addresses

READERS = ("nurse", "investigator", "site_manager", "monitor", "laboratory", "data_entry")
# Rows that no site owns, made once: what Harbour adds hangs on the same plan, laboratory and lot. A patient's own cells
# are made for each site beside them (`own_cells`).
SHARED = {
    "Site",
    "User",
    "FollowUpPlan",
    "Timepoint",
    "PlanDraft",
    "Laboratory",
    "Lot",
    "ReleaseTest",
    "Donor",
    "ConsentDocument",
}
ENCRYPTED = (PatientKey, Identity, SearchWord, ContactPoint)
FRESH_EACH_TIME = {"signin:second_factor"}  # a new secret for one's own telephone
PASSING = [
    (r'(name="csrfmiddlewaretoken" value=")[^"]*', r"\1"),
    (r'(form_token" value=")[^"]*', r"\1"),
    (r'(X-CSRFToken(?:&quot;|"): ?(?:&quot;|"))[^"&]*', r"\1"),
    (r'nonce="[^"]*"', ""),
    (r"(<dt>Cells left</dt><dd><strong>)[^<]*", r"\1"),
]


GIVEN: dict[str, dict[str, Any]] = {
    "CheckItem": {"item": next(iter(ITEM_BY_CODE))},
    "ImportRun": {"kind": "labs", "report": '{"errors": [], "flags": []}'},
    "Lot": {"cells_total": 60_000_000_000},  # so many that one cell less shows on the page of the lot alone
    "LabResult": {"analyte": "hba1c", "value_received": "7.1", "unit_received": "%"},
    "ReportRun": {"kind": "safety"},
    "Treatment": {"drug": "metformin"},
}


@dataclass
class Place(World):
    """One row of every kind, hanging together at one site; what no site owns is shared."""

    kept: dict[type[models.Model], models.Model] = field(default_factory=dict)

    def make(self, model: type[models.Model], **given: Any) -> Any:
        if model not in self.kept:
            given = GIVEN.get(model.__name__, {}) | self.between_sites().get(model.__name__, {}) | given
            self.kept[model] = super().make(model, **given)
        return self.kept[model]

    def between_sites(self) -> dict[str, dict[str, Any]]:
        """What two sites have to do with: a transfer that was withdrawn, an hour of reading that is over."""
        later = NOW.replace(year=2027)
        return {
            "Transfer": {"to_site": third_site(), "state": "withdrawn", "decided_at": later},
            "RecordOpening": {"opened_at": later.replace(hour=1), "ends_at": later.replace(hour=2)},
        }

    def _related(self, model: type[models.Model]) -> models.Model:
        if model in (Patient, Site, User) or model.__name__ in SHARED:
            return super()._related(model)
        made: models.Model = self.make(model)
        return made


def row_models() -> list[type[models.Model]]:
    """Every model that staff fill, each below those it hangs on."""
    skipped = {
        "Patient",
        "Enrolment",
        "User",
        "Site",
        "Registry",
        "RoleGrant",
        "AccountRequest",
        "RoleRequest",
        "BackupRun",
        "EmailAddress",
    }
    found = [
        model
        for model in audited_models()
        if model._meta.app_config.name.startswith(("registry.", "followup.")) and not model._meta.auto_created
    ]
    return [model for model in found if model.__name__ not in skipped and model.__name__ not in SHARED]


def place_of(world: World, site: Site, patient: Patient) -> Place:
    """A person with a name and a telephone at this site; everything else is made when it is asked for."""
    facts = IdentityFacts(given_name=f"Anna{site.pk}", family_name=f"Bell{site.pk}", local_id=f"R{site.pk}")
    save_identity(patient=patient, facts=facts, by=None)
    number = ContactFacts(value=f"+44 1632 96000{site.pk}", valid_from=ENROLLED_ON)
    add_contact(patient=patient, facts=number, by=None)
    place = _empty_place(world, site, patient)
    for model in (PatientKey, Identity, SearchWord, ContactPoint):
        place.kept[model] = model._default_manager.filter(patient=patient).order_by("pk")[0]
    return place


def _empty_place(world: World, site: Site, patient: Patient) -> Place:
    staff = world.own if site == world.riverside else world.other
    everywhere = {role: world.own[role] for role in ACROSS}
    return Place(
        riverside=site, harbour=site, patient=patient, own=everywhere | staff, other=staff, made=500 * site.pk
    )  # fmt: skip


def fill(place: Place) -> list[models.Model]:
    return [place.make(model) for model in row_models()]


def own_cells(place: Place) -> list[models.Model]:
    """A lot of this person's own cells: the donor's code is the patient's id."""
    donor = Donor.objects.create(code=place.patient.patient_id, patient=place.patient)
    code = f"OWN-{place.patient.patient_id}"
    lot = World.make(place, Lot, code=code, donor=donor, donor_relation="autologous")
    return [donor, lot, World.make(place, ReleaseTest, lot=lot)]


def answers(user: User, urls: list[str]) -> dict[str, str]:
    """What they get, and no trace of the asking: what was read stands in the trail, which is among the pages."""
    with transaction.atomic():
        got = _answers(user, urls)
        transaction.set_rollback(True)
    return got


def _answers(user: User, urls: list[str]) -> dict[str, str]:
    browser = Client()
    browser.force_login(user, backend=BACKEND)
    got = {}
    for url in urls:
        with clock.set_to(NOW):
            response = browser.get(url)
        assert response.status_code < 500, url
        raw = b"".join(response.streaming_content) if response.streaming else response.content
        text = raw.decode("utf-8", "replace")
        for pattern, instead in PASSING:
            text = re.sub(pattern, instead, text)
        got[url] = f"{response.status_code} {text}"
    return got


def urls_of(world: World, rows: list[models.Model]) -> Iterator[str]:
    """Every address that takes no key, and every address of these rows."""
    by_model = {type(row): row.pk for row in rows}
    for name, case in every_case().items():
        if name.startswith("trail:"):
            continue  # asking for pages leaves entries of one's own; tests/registry/trail compares what these show
        pattern = addresses()[name].pattern
        if name in FRESH_EACH_TIME:
            continue
        if not pattern.converters:
            yield reverse(name)
        elif name != "audit:history":
            yield reverse(name, kwargs=case.kwargs(world))
    for model, pk in by_model.items():
        if isinstance(pk, int):
            yield reverse("audit:history", kwargs={"label": model._meta.label_lower, "pk": pk})


def shared_rows() -> list[models.Model]:
    found = [model for model in apps.get_models() if model.__name__ in SHARED and model in audited_models()]
    return [row for model in found for row in model._default_manager.order_by("pk")[:3]]


@pytest.fixture
def two_sites(acting: None) -> tuple[World, Place, Place]:
    world = make_world()
    there = Patient.objects.create(patient_id="HAR-0001-Y", site=world.harbour, created_at=NOW)
    Enrolment.objects.create(patient=there, enrolled_on=ENROLLED_ON)
    here = place_of(world, world.riverside, world.patient)
    return world, here, place_of(world, world.harbour, there)


def change(row: models.Model) -> None:
    """Another value in every plain text of the row."""
    texts = {
        one.name: f"{getattr(row, one.name)}z"
        for one in row._meta.concrete_fields
        if type(one) is models.CharField and not one.choices and (one.max_length or 0) >= 100
    }
    if texts:
        type(row)._default_manager.filter(pk=row.pk).update(**texts)


def test_nothing_of_another_site_shows(two_sites: tuple[World, Place, Place]) -> None:
    world, here, there = two_sites
    rows = [*fill(here), *own_cells(here), *shared_rows()]
    urls = list(dict.fromkeys(urls_of(here, rows)))
    before = {role: answers(world.own[role], urls) for role in READERS}
    everybody_before = answers(world.own["coordinator"], urls)
    added = [*fill(there), *own_cells(there)]
    newcomer = Patient.objects.create(patient_id="HAR-0002-Z", site=there.riverside, created_at=NOW)
    Enrolment.objects.create(patient=newcomer, enrolled_on=ENROLLED_ON)
    for row in added:
        if not isinstance(row, ENCRYPTED) and row._meta.app_label != "signatures":  # no hand changes those
            change(row)
    wrong = []
    for role in READERS:
        after = answers(world.own[role], urls)
        wrong += [f"{role} {url}" for url in urls if after[url] != before[role][url]]
        # Harbour's first person was there before, so a page that showed them both times would be the same.
        wrong += [
            f"{role} {url} names {there.patient}" for url in urls if there.patient.patient_id in after[url]
        ]
    assert wrong == [], "\n".join(wrong)
    everybody_after = answers(world.own["coordinator"], urls)
    assert sum(everybody_after[url] != everybody_before[url] for url in urls) >= 8, "nothing changed at all"


def test_who_works_at_no_site_has_no_row_of_any_kind(two_sites: tuple[World, Place, Place]) -> None:
    """An empty scope is nothing, never everything."""
    _, here, there = two_sites
    fill(here)
    fill(there)
    nobody = person("nowhere", "nurse", None)
    kinds = [model for model in apps.get_models() if hasattr(model._default_manager, "visible_to")]
    filled = [model for model in kinds if model._default_manager.exists()]
    assert len(filled) >= 20, "hardly any rows: the test shows nothing"
    shown = [model.__name__ for model in filled if model._default_manager.visible_to(nobody).exists()]
    assert shown == []


def test_a_patients_own_cells_are_not_there_for_another_site(two_sites: tuple[World, Place, Place]) -> None:
    world, _, there = two_sites
    donor, lot, _ = own_cells(there)
    names = ("lot", "lot_edit", "lot_tests", "lot_state")
    urls = [reverse(f"products:{name}", args=[lot.pk]) for name in names]
    urls.append(reverse("products:donor_edit", args=[donor.pk]))
    for role in ("nurse", "investigator", "monitor"):
        got = answers(world.own[role], urls)
        assert {text[:3] for text in got.values()} <= {"403", "404"}, role
    assert answers(world.other["nurse"], urls)[urls[0]].startswith("200")
    everywhere = ["/cells/", "/cells/lots/new/", f"/infusions/{world.patient}/record/"]
    for url, text in answers(world.own["nurse"], everywhere).items():
        assert there.patient.patient_id not in text, url
    assert there.patient.patient_id in answers(world.own["product"], everywhere[:1])["/cells/"]


def test_the_history_of_a_row_of_another_site_is_not_there(two_sites: tuple[World, Place, Place]) -> None:
    world, _, there = two_sites
    rows = [row for row in [*fill(there), *own_cells(there)] if isinstance(row.pk, int)]
    urls = [reverse("audit:history", kwargs={"label": row._meta.label_lower, "pk": row.pk}) for row in rows]
    for role in ("nurse", "investigator", "site_manager", "monitor"):
        found = [url for url, text in answers(world.own[role], urls).items() if not text.startswith("404")]
        assert found == [], role
    assert any(text.startswith("200") for text in answers(world.own["auditor"], urls).values())
