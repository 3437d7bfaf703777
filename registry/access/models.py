"""Sites, staff, and which role each person holds where."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import ClassVar, Generic, Self, TypeVar
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import Q

from registry import clock
from registry.access import policy


def is_time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError(f"“{value}” is not a time zone name. Write for example Europe/London.")


class Registry(models.Model):
    """One row: what this instance is. A demo or test registry stays one for ever."""

    KINDS: ClassVar = {"live": "Live", "demo": "Demo", "test": "Test"}

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=120, default="MSC Follow-up Registry")
    kind = models.CharField(max_length=4, choices=list(KINDS.items()), default="live")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="registry_is_one_row")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def current(cls) -> Registry:
        return cls.objects.filter(pk=1).first() or cls(id=1)


class Site(models.Model):
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, help_text="Two letters, for example GB.")
    time_zone = models.CharField(max_length=60, validators=[is_time_zone])
    closed_weekdays = models.CharField(
        max_length=20, default="6,7", blank=True, help_text="Days without visits: 1 = Monday … 7 = Sunday."
    )
    next_serial = models.PositiveIntegerField(default=1, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["code"], name="site_code_is_unique")]

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
        today = clock.now().date()
        return list(self.rolegrant_set.in_force_on(today).select_related("site").order_by("role", "pk"))

    @property
    def role_label(self) -> str:
        return ", ".join(dict.fromkeys(grant.role for grant in self.grants))

    @property
    def site_label(self) -> str:
        return ", ".join(dict.fromkeys(grant.site.code if grant.site else "all" for grant in self.grants))

    @property
    def role_names(self) -> str:
        return ", ".join(dict.fromkeys(policy.ROLES[grant.role] for grant in self.grants))

    def scope(self, act: str) -> SiteScope:
        """Where this person may do `act`."""
        cells = [(grant, policy.scope_of(grant.role, act)) for grant in self.grants]
        if any(cell == policy.ALL and grant.site_id is None for grant, cell in cells):
            return SiteScope(everywhere=True)
        return SiteScope(site_ids=frozenset(g.site_id for g, cell in cells if cell != "none" and g.site_id))

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
    """A set of sites, or everywhere. Empty means nowhere, and shows nothing."""

    def __init__(self, *, everywhere: bool = False, site_ids: frozenset[int] = frozenset()) -> None:
        self.everywhere = everywhere
        self.site_ids = site_ids

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.site_ids)

    def covers(self, site_id: int) -> bool:
        return self.everywhere or site_id in self.site_ids


class RoleGrantQuerySet(models.QuerySet["RoleGrant"]):
    def in_force_on(self, day: date) -> Self:
        return self.filter(Q(ends_on=None) | Q(ends_on__gte=day), starts_on__lte=day)


class RoleGrant(models.Model):
    """A role at a site, or at all sites for roles that work across them. Ended by a date, never deleted."""

    user = models.ForeignKey(User, on_delete=models.PROTECT)
    role = models.CharField(max_length=20, choices=list(policy.ROLES.items()))
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)

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
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} at {self.site or 'all sites'}"


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
        ]

    def __str__(self) -> str:
        return f"account request {self.username}"


M = TypeVar("M", bound=models.Model)


class SiteScopedQuerySet(models.QuerySet[M], Generic[M]):
    """Rows that belong to a site. `visible_to` is the only way from a person to rows."""

    site_path = "site"
    view_act = "patients.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        scope = user.scope(act or self.view_act)
        if scope.everywhere:
            return self.all()
        return self.filter(**{f"{self.site_path}__in": scope.site_ids}) if scope else self.none()
