"""Which entries of the trail a person may read. Every page, count, print and export of the trail starts here."""

from __future__ import annotations

from django.apps import apps
from django.db.models import Q, QuerySet

from registry.access.blinding import sees_history_of
from registry.access.masking import entries_hidden_from
from registry.access.models import Site, User
from registry.audit.coverage import audited_models
from registry.audit.models import AuditEntry
from registry.patients.models import Patient

READ_ACTS = ("audit.view", "audit.own", "audit.product", "audit.system")
# Rooms whose rows are about accounts and the registry itself, not about people treated or their cells.
SYSTEM_ROOMS = ("access", "account", "mfa", "signin", "backups", "audit", "trail")
PRODUCT_ROOMS = ("products",)
SYSTEM_WORDS = ("audit_seal", "access_user", "backup", "restore")
NOTHING = Q(pk__in=[])


def visible_entries(user: User) -> QuerySet[AuditEntry]:
    """Nothing unless an act opens it. Where the protocol is blinded, kinds of record that tell are left out, and rows of
    masked results.
    """
    entries = AuditEntry.objects.exclude(table_name__in=_hidden_tables(user))
    entries = entries.exclude(entries_hidden_from(user))
    if user.scope("audit.view").everywhere:
        return entries
    return entries.filter(_of_sites(user) | _of_people(user) | _own(user) | _of_rooms(user))


def _of_sites(user: User) -> Q:
    scope = user.scope("audit.view")
    if scope.everywhere:
        return Q()
    if not scope.site_ids:
        return NOTHING
    site_rows = Q(about_patient=None, about_site__in=scope.site_ids) & ~Q(
        table_name__in=_tables(SYSTEM_ROOMS)
    )
    return _patients_of(scope.site_ids) | site_rows


def _of_people(user: User) -> Q:
    """What those who work at the person's sites, and nowhere else, did without touching a patient: signing in, exporting."""
    sites = user.scope("audit.people").site_ids
    if not sites:
        return NOTHING
    codes = list(Site.objects.filter(pk__in=sites).values_list("code", flat=True))
    return Q(site__in=codes, about_patient=None) & _at_no_other_site(sites)


def _own(user: User) -> Q:
    sites = user.scope("audit.own").site_ids
    if not sites:
        return NOTHING
    return Q(user_id=user.pk) & (_patients_of(sites) | (Q(about_patient=None) & _at_no_other_site(sites)))


def _of_rooms(user: User) -> Q:
    reach = NOTHING
    if user.may("audit.product"):
        reach |= Q(table_name__in=_tables(PRODUCT_ROOMS))
    if user.may("audit.system"):
        reach |= Q(about_patient=None, table_name__in=[*_tables(SYSTEM_ROOMS), *SYSTEM_WORDS])
    return reach


def _patients_of(sites: frozenset[int]) -> Q:
    """By the site that looks after the patient today, so that a record moves with its person."""
    return Q(about_patient__in=Patient.objects.filter(site__in=sites).values("pk"))


def _at_no_other_site(sites: frozenset[int]) -> Q:
    return Q(about_site=None) | Q(about_site__in=sites)


def _tables(rooms: tuple[str, ...]) -> list[str]:
    return [model._meta.db_table for model in apps.get_models() if model._meta.app_label in rooms]


def _hidden_tables(user: User) -> list[str]:
    """Product staff of every site treat nobody, and read of donors and lots whatever the protocol says of others."""
    hidden = [model for model in audited_models() if not sees_history_of(user, model)]
    if user.may("audit.product") and user.may("cells.view"):
        hidden = [model for model in hidden if model._meta.app_label not in PRODUCT_ROOMS]
    return [model._meta.db_table for model in hidden]
