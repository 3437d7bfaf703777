from registry.access.models import AccountRequest, RoleGrant
from tests.rights_world import Case, of_row

CASES = {
    "audit:history": Case(
        ("audit.view",), lambda world: {"label": "patients.patient", "pk": world.patient.pk}
    ),
    "access:settings": Case(("settings.view",)),
    "access:account": Case(("settings.view",)),
    "access:site_list": Case(("settings.view",)),
    "access:site_new": Case(("settings.sites",)),
    "access:site_edit": Case(("settings.sites",), lambda world: {"pk": world.riverside.pk}),
    "access:user_list": Case(("settings.accounts",)),
    "access:user_detail": Case(("settings.accounts",), lambda world: {"pk": world.own["nurse"].pk}),
    "access:user_active": Case(("settings.accounts",), lambda world: {"pk": world.own["nurse"].pk}),
    "access:grant_end": Case(("settings.accounts",), of_row(RoleGrant)),
    "access:request_list": Case(("settings.accounts",)),
    "access:request_new": Case(("settings.accounts",)),
    "access:request_open": Case(("settings.accounts",), of_row(AccountRequest)),
    "access:request_refuse": Case(("settings.accounts",), of_row(AccountRequest)),
}
