"""Where the protocol is blinded: what counts as product (lot, donor, source, dose, viability), and who may read of it.

A page that shows any of it asks `infusions.product` (of one infusion) or `cells.view` (of lots); both have a blinded
column in the policy. Here stands what those pages share, and what the trail must leave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Model, Q

if TYPE_CHECKING:
    from registry.access.models import Registry, Site, User

PRODUCT_ROLE = "product"
PRODUCT_ROOMS = ("infusions.", "products.")
HIDDEN = "hidden: blinded protocol"
# Rows of these kinds say what was given, or quote it: doses, lots, the questions about them, files brought in.
TELLING_MODELS = frozenset({
    "infusions.infusiondose", "infusions.infusionorder", "products.lot", "products.donor", "products.releasetest",
    "patients.query", "exchange.importrun",
})  # fmt: skip
# What the record asks about an infusion without saying what was given.
NEUTRAL_RULES = (
    "consent_unknown", "consent_withdrawn", "consent_not_yet_given", "not_enrolled", "before_enrolment", "open_hold",
    "another_day_asked", "asked",
)  # fmt: skip


def sees_product(user: User, site: Site | int | None = None) -> bool:
    return user.may("infusions.product", site)


def hides(model: type[Model], registry: Registry) -> bool:
    """For files that are not made for one reader, such as the copy of a whole record."""
    return registry.blinded and model._meta.label_lower in TELLING_MODELS


def sees_history_of(user: User, model: type[Model]) -> bool:
    """The trail keeps what the pages hide, so whole kinds of record are left out of it for those who are blinded."""
    return sees_product(user) or model._meta.label_lower not in TELLING_MODELS


def about_product() -> Q:
    """Queries whose words may name a lot, a donor or a dose."""
    infusions, products = (Q(record__startswith=room) for room in PRODUCT_ROOMS)
    return (infusions | products) & ~Q(rule__in=NEUTRAL_RULES)


def asks_about_product(record: str, rule: str) -> bool:
    """The same of one query."""
    return record.startswith(PRODUCT_ROOMS) and rule not in NEUTRAL_RULES
