from uuid import uuid4

from tests.rights_world import Case

ANYBODY = ("settings.view",)
ADMINISTRATOR = ("settings.accounts",)

CASES = {
    "signin:account": Case(ANYBODY),
    "signin:second_factor": Case(ANYBODY),
    "signin:recovery_codes": Case(ANYBODY),
    "signin:recovery_codes_file": Case(ANYBODY, may_hide=True),
    "signin:presence": Case(ANYBODY),
    "signin:draft_keep": Case(ANYBODY),
    "signin:draft_forget": Case(ANYBODY, lambda world: {"pk": 1}, of_site=False),
    "signin:session_end": Case(ANYBODY, lambda world: {"number": uuid4()}, of_site=False),
    "signin:sessions_end_others": Case(ANYBODY),
    "signin:person": Case(ADMINISTRATOR, lambda world: {"pk": world.own["nurse"].pk}),
    "signin:second_factor_reset": Case(ADMINISTRATOR, lambda world: {"pk": world.own["nurse"].pk}),
    "signin:password_link": Case(ADMINISTRATOR, lambda world: {"pk": world.own["nurse"].pk}),
}
