"""The follow-up plan as data, the visits it leads to, and the work items every room may raise."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Generic, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access import masking
from registry.access.blinding import PRODUCT_ROLE, sees_product
from registry.access.models import Site, SiteScopedQuerySet, User
from registry.infusions.models import Infusion
from registry.patients.models import Patient


class ContactMode(models.TextChoices):
    ON_SITE = "on_site", "On site"
    PHONE = "phone", "Phone"
    VIDEO = "video", "Video"
    LETTER = "letter", "Letter"
    RECORDS = "records", "From records"


class PlanIsFixed(Exception):
    """A loaded plan was about to change; load a newer version instead."""


F = TypeVar("F", bound=models.Model)


class FixedQuerySet(models.QuerySet[F], Generic[F]):
    """Rows that are added and never changed."""

    def update(self, **kwargs: Any) -> int:
        raise PlanIsFixed("A loaded plan never changes. Raise its version and load it again.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        return self.update()

    def delete(self) -> tuple[int, dict[str, int]]:
        raise PlanIsFixed("A loaded plan is kept for ever: visits were planned by it.")


class Fixed(models.Model):
    objects: ClassVar[models.Manager[Self]] = FixedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise PlanIsFixed("A loaded plan never changes. Raise its version and load it again.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise PlanIsFixed("A loaded plan is kept for ever: visits were planned by it.")


class FollowUpPlan(Fixed):
    """A version of the plan, kept as the very text that was put in force; never changed, only followed by a newer one."""

    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    source = models.TextField()
    sha256 = models.CharField(max_length=64)
    loaded_at = models.DateTimeField()

    class Meta:
        ordering = ["code", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="plan_version_is_unique"),
            models.UniqueConstraint(fields=["sha256"], name="plan_text_is_loaded_once"),
        ]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"


class Timepoint(Fixed):
    """One line of the plan."""

    plan = models.ForeignKey(FollowUpPlan, on_delete=models.PROTECT, related_name="timepoints")
    code = models.CharField(max_length=12)
    label = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()
    anchor = models.CharField(max_length=16)
    offset_value = models.IntegerField()
    offset_unit = models.CharField(max_length=5)
    days_before = models.PositiveSmallIntegerField()
    days_after = models.PositiveSmallIntegerField()
    contact_mode = models.CharField(max_length=8, choices=ContactMode.choices)
    assessments = models.CharField(max_length=400, help_text="Codes joined by ;")
    neoplasia_check = models.BooleanField(default=False)
    reminder_steps = models.TextField(help_text="JSON: the steps with their days, as in the plan's text")

    class Meta:
        ordering = ["plan", "position"]
        constraints = [models.UniqueConstraint(fields=["plan", "code"], name="timepoint_once_per_plan")]

    def __str__(self) -> str:
        return self.label


class FollowedPlan(models.Model):
    """The version of the plan that a patient's visits agree with; the repair finds by it whom a new version has not reached."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="followed_plan")
    plan = models.ForeignKey(FollowUpPlan, on_delete=models.PROTECT, related_name="+")
    planned_until = models.DateField(
        null=True, help_text="Of a plan for life: its visits are planned up to this day"
    )

    class Meta:
        ordering = ["patient"]

    def __str__(self) -> str:
        return f"{self.patient}: {self.plan}"


class VisitQuerySet(SiteScopedQuerySet["Visit"]):
    view_act = "visits.view"

    def not_finished(self) -> Self:
        return self.filter(state=Visit.State.PLANNED)


class Visit(models.Model):
    """A planned or unscheduled visit. `open` and `late` follow from the day and are never stored."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        MISSED = "missed", "Missed"
        DONE = "done", "Done"
        NOT_REQUIRED = "not_required", "Not required"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    timepoint = models.ForeignKey(Timepoint, on_delete=models.PROTECT, null=True, blank=True)
    visit_code = models.CharField(max_length=12, blank=True)
    sequence = models.PositiveSmallIntegerField(default=1)
    anchor = models.CharField(max_length=16, blank=True)
    anchor_date = models.DateField(null=True, blank=True)
    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, null=True, blank=True)
    target_date = models.DateField(null=True, blank=True)
    window_opens = models.DateField(null=True, blank=True)
    window_closes = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PLANNED)
    state_reason = models.CharField(max_length=300, blank=True)
    booked_for = models.DateField(null=True, blank=True)
    actual_date = models.DateField(null=True, blank=True)
    contact_mode = models.CharField(max_length=8, choices=ContactMode.choices, blank=True)
    note = models.TextField(blank=True)
    out_of_window = models.BooleanField(
        null=True, blank=True, help_text="Of a visit with its date: judged by the anchor as it stands now"
    )
    neoplasia_check = models.BooleanField(default=False)
    import_key = models.CharField(max_length=60, blank=True)
    form_token = models.CharField(max_length=40, blank=True)
    created_on = models.DateField()
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = VisitQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "target_date", "actual_date", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "visit_code", "sequence"],
                condition=~Q(visit_code=""),
                name="planned_visit_once",
            ),
            models.UniqueConstraint(
                fields=["patient", "import_key"], condition=~Q(import_key=""), name="imported_visit_once"
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_unscheduled_visit_per_form"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | ~Q(actual_date=None), name="done_visit_has_its_date"
            ),
            models.CheckConstraint(
                condition=Q(window_opens=None)
                | Q(window_opens__lte=models.F("target_date"), target_date__lte=models.F("window_closes")),
                name="window_holds_its_target",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["missed", "not_required"]) | ~Q(state_reason=""),
                name="excused_visit_has_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["site", "target_date"], condition=Q(state="planned"), name="open_visits_by_site"
            ),
            models.Index(fields=["target_date"], condition=Q(state="planned"), name="open_visits"),
            models.Index(
                fields=["site", "window_closes", "id"],
                condition=Q(state="planned"),
                name="late_visits_by_site",
            ),
            models.Index(fields=["window_closes", "id"], condition=Q(state="planned"), name="late_visits"),
            models.Index(fields=["patient"], condition=Q(state="planned"), name="open_visits_by_patient"),
        ]

    def __str__(self) -> str:
        return self.visit_code or "unscheduled visit"

    @property
    def label(self) -> str:
        if self.timepoint is None:
            return "Unscheduled visit"
        return f"{self.timepoint.label} ({self.sequence})" if self.sequence > 1 else self.timepoint.label

    @property
    def planned_mode(self) -> str:
        """How it is to be held: by phone or from records where the person withdrew from visits or contact."""
        return self.contact_mode or (self.timepoint.contact_mode if self.timepoint else "")

    @property
    def is_partial(self) -> bool:
        """Somebody was in contact, and some of its parts are still due."""
        return self.state == Visit.State.PLANNED and self.actual_date is not None

    def status_on(self, day: date) -> str:
        """planned, open, late, missed, done or not_required. Late means its window has closed; only a person says missed."""
        if self.state != Visit.State.PLANNED or self.window_opens is None or self.window_closes is None:
            return str(self.state)
        if day < self.window_opens:
            return "planned"
        return "open" if day <= self.window_closes else "late"


class VisitAssessment(models.Model):
    """One planned part of a visit, with a state and date of its own."""

    class State(models.TextChoices):
        PENDING = "pending", "Not recorded yet"
        DONE = "done", "Done"
        ELSEWHERE = "done_elsewhere", "Done elsewhere"
        AWAITING = "awaiting_result", "Awaiting result"
        NOT_DONE = "not_done", "Not done"
        NOT_APPLICABLE = "not_applicable", "Not applicable"

    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, related_name="assessments")
    code = models.CharField(max_length=30)
    state = models.CharField(max_length=15, choices=State.choices, default=State.PENDING)
    on_date = models.DateField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["visit", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["visit", "code"], name="assessment_once_per_visit"),
            models.CheckConstraint(
                condition=~Q(state="not_done") | ~Q(reason=""), name="not_done_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ContactAttempt(models.Model):
    """Somebody tried to reach the person."""

    class Outcome(models.TextChoices):
        REACHED = "reached", "Reached"
        NO_ANSWER = "no_answer", "No answer"
        MESSAGE_LEFT = "message_left", "Message left"
        WRONG_NUMBER = "wrong_number", "Number or address wrong"
        REFUSED = "refused", "Did not want to talk"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, null=True, blank=True)
    at = models.DateTimeField()
    channel = models.CharField(
        max_length=14,
        choices=[("phone", "Phone"), ("letter", "Letter"), ("email", "E-mail"), ("sms", "Text message"),
                 ("gp", "Through the GP"), ("relative", "Through a relative or friend")],
    )  # fmt: skip
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    next_try_on = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    form_token = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_attempt_per_form"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} on {self.at:%Y-%m-%d}"


class WorkItemQuerySet(SiteScopedQuerySet["WorkItem"]):
    view_act = "worklist.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        """Questions about the product, and about masked results, are for those who may read those."""
        rows = super().visible_to(user, act)
        if not sees_product(user):
            rows = rows.exclude(role=PRODUCT_ROLE)
        return rows if user.may(masking.ACT) else rows.exclude(role=masking.ROLE)

    def neutral(self) -> Self:
        """For files not made for one reader: without questions about what a blinded protocol hides."""
        return self.exclude(role__in=[PRODUCT_ROLE, masking.ROLE])

    def open(self) -> Self:
        return self.filter(closed_at=None)


class WorkItem(models.Model):
    """A task that stays on Today until somebody closes it: a suspicion, a deviation to explain, a query to answer."""

    class Level(models.TextChoices):
        ALARM = "alarm", "Needs an answer"
        DUE = "due", "Due"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, null=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    kind = models.CharField(max_length=30)
    level = models.CharField(max_length=5, choices=Level.choices)
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=80, help_text="The record that raised it, for example neoplasm:12")
    url = models.CharField(max_length=200, help_text="Where it is answered")
    role = models.CharField(max_length=20, blank=True)
    due_on = models.DateField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    closed_because = models.CharField(max_length=300, blank=True)

    objects = WorkItemQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "source"], condition=Q(closed_at=None), name="one_open_work_item_per_source"
            )
        ]
        indexes = [
            models.Index(fields=["site", "due_on"], condition=Q(closed_at=None), name="open_work_by_site")
        ]

    def __str__(self) -> str:
        return self.title
