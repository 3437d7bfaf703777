from typing import Any

from registry.access.models import AccountRequest, RoleGrant, RoleRequest
from tests.rights_world import Case, World, of_row

DECIDE = ("accounts.approve", "settings.accounts")


def of_role_request(world: World) -> dict[str, Any]:
    nurse, manager = world.own["nurse"], world.own["site_manager"]
    return {"pk": world.make(RoleRequest, user=nurse, asked_by=manager, grant=None, decided_by=None).pk}


CASES = {
    "audit:history": Case(
        ("audit.view",), lambda world: {"label": "patients.patient", "pk": world.patient.pk}
    ),
    "access:settings": Case(("settings.view",)),
    "access:site_list": Case(("settings.view",)),
    "access:site_new": Case(("settings.sites",)),
    "access:site_edit": Case(("settings.sites",), lambda world: {"pk": world.riverside.pk}),
    "access:protocol": Case(("settings.blinding",)),
    "access:self_approval": Case(("settings.self_approval",)),
    "access:user_list": Case(("accounts.view",)),
    "access:user_detail": Case(("accounts.view",), lambda world: {"pk": world.own["nurse"].pk}),
    "access:user_active": Case(("settings.accounts",), lambda world: {"pk": world.own["nurse"].pk}),
    "access:review": Case(("accounts.review",)),
    "access:grant_confirm": Case(("accounts.review",), of_row(RoleGrant)),
    "access:grant_end": Case(("accounts.review",), of_row(RoleGrant)),
    "access:role_request_list": Case(("accounts.view",)),
    "access:role_request_approve": Case(DECIDE, of_role_request),
    "access:role_request_refuse": Case(DECIDE, of_role_request),
    "access:role_request_take_back": Case(("accounts.propose",), of_role_request, may_hide=True),
    "access:request_list": Case(("accounts.propose",)),
    "access:request_new": Case(("accounts.propose",)),
    "access:request_open": Case(DECIDE, of_row(AccountRequest)),
    "access:request_refuse": Case(DECIDE, of_row(AccountRequest)),
}
