"""Sites, staff, and which role each person holds where."""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from typing import ClassVar, Generic, Self, TypeVar
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, Q

from registry import clock
from registry.access import policy
from registry.access.opened import LABEL as OPENED_LABEL
from registry.access.opened import Opened


def is_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(f"“{value}” is not a time zone name. Write for example Europe/London.")


class Registry(models.Model):
    """One row: what this instance is. A demo or test registry stays one for ever."""

    KINDS: ClassVar = {"live": "Live", "demo": "Demo", "test": "Test"}

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=120, default="MSC Follow-up Registry")
    kind = models.CharField(max_length=4, choices=list(KINDS.items()), default="live")
    self_approval_hours = models.PositiveSmallIntegerField(
        default=24,
        help_text="How long what is approved by the person who asked for it waits before it is in force.",
    )
    blinded = models.BooleanField(
        default=False, help_text="Whether the protocol is blinded; stays once a patient is enrolled."
    )
    masked_analytes = models.CharField(
        max_length=500,
        blank=True,
        help_text="Codes with commas between: results a blinded protocol shows to the laboratory alone.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="registry_is_one_row"),
            models.CheckConstraint(
                condition=Q(blinded=True) | Q(masked_analytes=""), name="only_a_blinded_protocol_masks"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> Registry:
        return cls.objects.filter(pk=1).first() or cls(id=1)

    @property
    def masked(self) -> frozenset[str]:
        return frozenset(filter(None, self.masked_analytes.split(","))) if self.blinded else frozenset()


class Site(models.Model):
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, help_text="Two letters, for example GB.")
    time_zone = models.CharField(max_length=60, validators=[is_time_zone])
    closed_weekdays = models.CharField(
        max_length=20, default="6,7", blank=True, help_text="Days without visits: 1 = Monday … 7 = Sunday."
    )
    idle_minutes = models.PositiveSmallIntegerField(
        default=15, db_default=15, verbose_name="Minutes until a session without anybody ends", help_text="From 5 to 60.",
        validators=[MinValueValidator(5), MaxValueValidator(60)],
    )  # fmt: skip
    next_serial = models.PositiveIntegerField(default=1, editable=False)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["code"], name="site_code_is_unique"),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_site_per_form"
            ),
            models.CheckConstraint(
                condition=Q(idle_minutes__gte=5, idle_minutes__lte=60), name="idle_minutes_are_5_to_60"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def today(self) -> date:
        """For entry points only, like the clock it reads."""
        return clock.today(self.time_zone)


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username__iexact=username)


class User(AbstractBaseUser):
    """A named person. Accounts are switched off, never deleted, and a name is never used again."""

    username = models.CharField(max_length=60)
    full_name = models.CharField(max_length=120)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField()

    objects = UserManager()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name"]

    class Meta:
        ordering = ["full_name", "pk"]
        constraints = [models.UniqueConstraint(fields=["username"], name="username_is_unique")]

    def __str__(self) -> str:
        return self.full_name or self.username

    @cached_property
    def grants(self) -> list[RoleGrant]:
        """Grants in force now. Cached on this object, which lives for one request, so a removed right ends at once."""
        if not self.is_active:
            return []
        standing = self.rolegrant_set.in_force_at(clock.now()).select_related("site").order_by("role", "pk")
        return list(standing.annotate(in_blinded_protocol=Exists(Registry.objects.filter(blinded=True))))

    @property
    def idle_minutes(self) -> int:
        """The strictest of the sites a person works at; who works across all sites has the registry's."""
        sites = [grant.site.idle_minutes if grant.site else settings.IDLE_MINUTES for grant in self.grants]
        return min(sites, default=settings.IDLE_MINUTES)

    @property
    def protocol_is_blinded(self) -> bool:
        """Read with the grants, in one query."""
        return any(vars(grant)["in_blinded_protocol"] for grant in self.grants)

    # One record of another site that this request may read (`registry.handover`). Nobody has any until the middleware
    # has looked at the address of a GET, so lists, searches, exports, tasks and every change go without.
    opened: Opened | None = None

    @property
    def role_label(self) -> str:
        roles = list(dict.fromkeys(grant.role for grant in self.grants))
        return ", ".join([*roles, OPENED_LABEL] if self.opened else roles)

    @property
    def site_label(self) -> str:
        return ", ".join(dict.fromkeys(grant.site.code if grant.site else "all" for grant in self.grants))

    @property
    def role_names(self) -> str:
        return ", ".join(dict.fromkeys(policy.ROLES[grant.role] for grant in self.grants))

    def scope(self, act: str) -> SiteScope:
        """Where this person may do `act`."""
        blinded = self.protocol_is_blinded
        cells = [(grant, policy.scope_of(grant.role, act, blinded=blinded)) for grant in self.grants]
        if any(cell == policy.ALL and grant.site_id is None for grant, cell in cells):
            return SiteScope(everywhere=True)
        own = frozenset(g.site_id for g, cell in cells if cell != "none" and g.site_id)
        opened = self.opened if self.opened and self.opened.lets_read(act, blinded=blinded) else None
        return SiteScope(site_ids=own, opened=opened)

    def may(self, act: str, site: Site | int | None = None) -> bool:
        """With a site: there. Without: anywhere at all."""
        scope = self.scope(act)
        if site is None:
            return bool(scope)
        return scope.covers(site if isinstance(site, int) else site.pk)

    def require(self, act: str, site: Site | int | None = None) -> None:
        if not self.may(act, site):
            raise PermissionDenied(f"Your role does not include: {policy.ACTS[act].label.lower()}.")

    def sites(self, act: str) -> models.QuerySet[Site]:
        scope = self.scope(act)
        return Site.objects.all() if scope.everywhere else Site.objects.filter(pk__in=scope.site_ids)


class SiteScope:
    """A set of sites, or everywhere. Empty means nowhere, and shows nothing.

    `opened` is one person of another site. A page that has it is a page of that person alone, so what is asked of
    their site there is asked of them; rows are narrowed to the person in `visible_to`.
    """

    def __init__(
        self,
        *,
        everywhere: bool = False,
        site_ids: frozenset[int] = frozenset(),
        opened: Opened | None = None,
    ) -> None:
        self.everywhere = everywhere
        self.site_ids = site_ids
        self.opened = opened

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.site_ids) or self.opened is not None

    def covers(self, site_id: int) -> bool:
        here = self.opened is not None and site_id == self.opened.site_id
        return self.everywhere or site_id in self.site_ids or here

    def contains(self, other: SiteScope) -> bool:
        """Whether everything in `other` is within this scope."""
        return self.everywhere or (not other.everywhere and other.site_ids <= self.site_ids)


class RoleGrantQuerySet(models.QuerySet["RoleGrant"]):
    def in_force_on(self, day: date) -> Self:
        return self.filter(Q(ends_on=None) | Q(ends_on__gte=day), starts_on__lte=day, stopped_at=None)

    def in_force_at(self, now: datetime) -> Self:
        """Dates are those of UTC. A grant its own asker approved begins after a delay; one that was stopped is over."""
        begun = Q(effective_at=None) | Q(effective_at__lte=now)
        return self.in_force_on(now.date()).filter(begun)


class RoleGrant(models.Model):
    """A role at a site, or at all sites for roles that work across them. Ended by a date, never deleted."""

    user = models.ForeignKey(User, on_delete=models.PROTECT)
    role = models.CharField(max_length=20, choices=list(policy.ROLES.items()))
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    effective_at = models.DateTimeField(
        null=True, help_text="Empty: at once. Otherwise after the delay of a self-approval."
    )
    stopped_at = models.DateTimeField(null=True, help_text="Ended at once, before its last day.")
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = RoleGrantQuerySet.as_manager()

    class Meta:
        ordering = ["user", "role", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(role__in=list(policy.ROLES)), name="role_is_known"),
            models.CheckConstraint(
                condition=Q(ends_on=None) | Q(ends_on__gte=models.F("starts_on")),
                name="role_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=models.F("user")),
                name="nobody_grants_their_own_role",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_grant_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} at {self.site or 'all sites'}"


class RoleRequest(models.Model):
    """A role asked for by one person and decided on by another, or approved by the asker with a delay that all can see."""

    DECISIONS: ClassVar = {"approved": "Approved", "refused": "Refused", "withdrawn": "Taken back"}

    user = models.ForeignKey(User, on_delete=models.PROTECT)
    role = models.CharField(max_length=20, choices=list(policy.ROLES.items()))
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField()
    reason = models.CharField(max_length=200)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decision = models.CharField(max_length=10, blank=True, choices=list(DECISIONS.items()))
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=200, blank=True)
    grant = models.OneToOneField(RoleGrant, on_delete=models.PROTECT, null=True)
    form_token = models.CharField(max_length=40)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_role_request_per_form"),
            models.CheckConstraint(
                condition=~Q(user=models.F("asked_by"))
                & (Q(decided_by=None) | ~Q(user=models.F("decided_by"))),
                name="nobody_decides_on_their_own_role",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} for {self.user} at {self.site or 'all sites'}"

    @property
    def is_self_approved(self) -> bool:
        return self.decision == "approved" and self.decided_by_id == self.asked_by_id

    def state_at(self, now: datetime) -> str:
        if not self.decision:
            return "asked"
        if self.decision != "approved" or self.grant is None:
            return self.decision
        if self.grant.stopped_at:
            return "stopped"
        waits = self.grant.effective_at and self.grant.effective_at > now
        return "approved" if waits else "in_force"


class AccountRequest(models.Model):
    """An account asked for by one person and opened by another."""

    username = models.CharField(max_length=60)
    full_name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=20, choices=list(policy.ROLES.items()))
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    password = models.CharField(max_length=128)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decision = models.CharField(
        max_length=10, blank=True, choices=[("opened", "Opened"), ("refused", "Refused")]
    )
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["username"], condition=Q(decision=""), name="one_open_request_per_username"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(requested_by=None) | ~Q(decided_by=models.F("requested_by")),
                name="account_is_opened_by_a_second_person",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_request_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"account request {self.username}"


M = TypeVar("M", bound=models.Model)


class SiteScopedQuerySet(models.QuerySet[M], Generic[M]):
    """Rows that belong to a site. `visible_to` is the only way from a person to rows."""

    site_path = "site"
    patient_path = ""  # where a row says which patient it is of; found by itself where it is called `patient`
    view_act = "patients.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        scope = user.scope(act or self.view_act)
        if scope.everywhere:
            return self.all()
        rows = Q(**{f"{self.site_path}__in": scope.site_ids})
        if scope.opened and (path := self.patient_path or self._own_patient_path()):
            rows |= Q(**{path: scope.opened.patient_id})
        return self.filter(rows) if scope else self.none()

    def _own_patient_path(self) -> str:
        names = {field.name for field in self.model._meta.concrete_fields}
        return "patient" if "patient" in names else ""
