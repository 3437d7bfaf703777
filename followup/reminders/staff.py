"""Who may be written to about a site's visits: active, with an address, and holding the role today."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Q

from followup.reminders.rules import recipient_kinds
from registry.access.models import RoleGrant

ROLES_OF_KIND = {
    "site_staff": ("nurse", "data_entry"),
    "investigator": ("investigator",),
    "site_manager": ("site_manager",),
    "coordinator": ("coordinator",),
}
KIND_WORDS = {
    "site_staff": "a research nurse or data entry",
    "investigator": "an investigator, a site manager or the coordinator",
    "site_manager": "a site manager",
    "coordinator": "the coordinator",
}


@dataclass(frozen=True)
class Staff:
    """The user ids behind each kind of recipient at one site."""

    by_kind: dict[str, list[int]]

    def kind_for(self, step: str) -> str:
        """The first kind the site has; the first asked for where it has none."""
        kinds = recipient_kinds(step)
        return next((kind for kind in kinds if self.by_kind.get(kind)), kinds[0])

    def recipients(self, kind: str) -> Sequence[int]:
        return self.by_kind.get(kind, [])


def staff_of(site_id: int, *, on: date, user_id: int | None = None) -> Staff:
    """With a user: whether that person alone is still among them."""
    grants = RoleGrant.objects.in_force_on(on).filter(Q(site=site_id) | Q(site=None), user__is_active=True)
    if user_id is not None:
        grants = grants.filter(user=user_id)
    grants = grants.exclude(user__email="").order_by("user", "pk")
    kind_of = {role: kind for kind, roles in ROLES_OF_KIND.items() for role in roles}
    found: dict[str, list[int]] = defaultdict(list)
    for role, user in grants.filter(role__in=kind_of).values_list("role", "user_id"):
        if user not in found[kind_of[role]]:
            found[kind_of[role]].append(user)
    return Staff(dict(found))
