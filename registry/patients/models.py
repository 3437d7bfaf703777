"""Who is followed: the pseudonymous person, what they agreed to, how they came in, and what became of them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from registry import encryption, partial_dates
from registry.access import masking
from registry.access.blinding import about_product, sees_product
from registry.access.models import Site, SiteScopedQuerySet, User

if TYPE_CHECKING:
    TextColumn = models.CharField[str, str]
else:
    TextColumn = models.CharField


def is_partial_date(value: str) -> None:
    try:
        partial_dates.earliest(value)
    except ValueError as error:
        raise ValidationError(f"{value} is not a date: write 2014-03-05, 2014-03 or 2014.") from error


class PartialDateField(TextColumn):
    """ISO text of year, month or day precision; blank is unknown."""

    default_validators = (is_partial_date,)

    def __init__(self, verbose_name: str | None = None, **options: Any) -> None:
        super().__init__(verbose_name, **({"max_length": 10} | options))

    def formfield(self, *args: Any, **options: Any) -> Any:
        """Asked before a form compares the day with others, which only a day can be."""
        return super().formfield(*args, **({"validators": [is_partial_date]} | options))


class Sex(models.TextChoices):
    FEMALE = "female", "Female"
    MALE = "male", "Male"
    UNKNOWN = "unknown", "Unknown"


class Status(models.TextChoices):
    SCREENING = "screening", "Screening"
    ENROLLED = "enrolled", "Enrolled"
    IN_FOLLOW_UP = "in_follow_up", "In follow-up"
    COMPLETED = "completed", "Completed"
    WITHDRAWN = "withdrawn", "Withdrawn"
    LOST = "lost", "Lost to follow-up"
    DECEASED = "deceased", "Deceased"


class Scope(models.TextChoices):
    NO_CELLS = "no_cells", "No more cells; follow-up unchanged"
    NO_VISITS = "no_visits", "No visits; phone and records continue"
    NO_CONTACT = "no_contact", "No contact; records and linkage only"
    NO_NEW_DATA = "no_new_data", "No new data"
    ERASE = "erase", "Erase identifiers"


class PatientQuerySet(SiteScopedQuerySet["Patient"]):
    patient_path = "pk"


class Patient(models.Model):
    """The pseudonymous person. Names and contacts live in `Identity`, under a key of their own."""

    patient_id = models.CharField(max_length=40)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    sex_at_birth = models.CharField(max_length=7, choices=Sex.choices, default=Sex.UNKNOWN)
    gender = models.CharField(max_length=40, blank=True)
    birth_year = models.PositiveSmallIntegerField(null=True, blank=True)
    organs_absent = models.CharField(
        max_length=60, blank=True, help_text="uterus;cervix;ovaries;prostate;breasts"
    )
    interpreter_language = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.SCREENING)
    created_at = models.DateTimeField()
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = PatientQuerySet.as_manager()

    class Meta:
        ordering = ["patient_id"]
        constraints = [
            models.UniqueConstraint(fields=["patient_id"], name="patient_id_is_unique"),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_patient_per_form"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="patient_status_is_known"),
        ]
        indexes = [models.Index(fields=["site", "status"], name="patient_by_site_status")]

    def __str__(self) -> str:
        return self.patient_id

    def age_on(self, day: date) -> int | None:
        """Whole years by birth year alone, so it may be one too many before the birthday."""
        return day.year - self.birth_year if self.birth_year else None


class PatientKey(models.Model):
    """The person's own key, wrapped. Deleting this row is what erasure means."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT, related_name="key")
    wrapped = models.TextField()

    def __str__(self) -> str:
        return f"key of {self.patient_id}"

    def unwrapped(self) -> bytes:
        return encryption.unwrap(self.wrapped)


class Identity(models.Model):
    """Identifiers, each column encrypted under the person's key. Read through `registry.patients.identity`."""

    FIELDS: ClassVar = (
        "given_name",
        "family_name",
        "previous_names",
        "birth_date",
        "local_id",
        "phone",
        "email",
    )

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    given_name = models.TextField(blank=True)
    family_name = models.TextField(blank=True)
    previous_names = models.TextField(blank=True)
    birth_date = models.TextField(blank=True)
    local_id = models.TextField(blank=True)
    phone = models.TextField(blank=True)
    email = models.TextField(blank=True)
    local_id_index = models.CharField(max_length=40, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "local_id_index"],
                condition=~Q(local_id_index=""),
                name="local_id_is_unique_at_its_site",
            ),
        ]

    def __str__(self) -> str:
        return f"identity of patient {self.patient_id}"


class SearchWord(models.Model):
    """A blind index entry: which person a whole name word, record number or phone number belongs to."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    kind = models.CharField(max_length=12)
    digest = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "kind", "digest"], name="search_word_once_per_patient")
        ]
        indexes = [models.Index(fields=["digest", "kind"], name="search_word_lookup")]

    def __str__(self) -> str:
        return f"{self.kind} of patient {self.patient_id}"


class ContactPoint(models.Model):
    """A way to reach the person or somebody who knows them; the value is encrypted under the person's key."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    person = models.CharField(
        max_length=12,
        choices=[("patient", "Patient"), ("relative", "Relative or friend"), ("gp", "General practitioner"),
                 ("other", "Other")],
        default="patient",
    )  # fmt: skip
    relation = models.CharField(max_length=40, blank=True)
    kind = models.CharField(
        max_length=8,
        choices=[("phone", "Phone"), ("email", "E-mail"), ("address", "Address")],
        default="phone",
    )
    value = models.TextField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    verified_on = models.DateField(null=True, blank=True)
    may_use = models.BooleanField(default=True, verbose_name="Agreed to its use")
    may_leave_message = models.BooleanField(default=False, verbose_name="Safe to leave a message")

    form_token = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["patient", "person", "-valid_from", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_contact_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.kind} of patient {self.patient_id}"


class ConsentDocument(models.Model):
    """A version of the consent form."""

    version = models.CharField(max_length=20)
    title = models.CharField(max_length=120, blank=True)
    in_force_from = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["version"]
        constraints = [models.UniqueConstraint(fields=["version"], name="consent_version_is_unique")]

    def __str__(self) -> str:
        return f"version {self.version}"


class Consent(models.Model):
    """What a person signed, and how far it reaches."""

    TIERS: ClassVar = {
        "tier_registry": "Keep my data in the registry",
        "tier_contact": "Contact me for 15 years",
        "tier_linkage": "Link with cancer and death registries",
        "tier_samples": "Keep samples and DNA",
        "tier_sharing": "Share pseudonymous data for research",
    }

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    document = models.ForeignKey(ConsentDocument, on_delete=models.PROTECT)
    language = models.CharField(max_length=40, default="English")
    signed_on = models.DateField()
    tier_registry = models.BooleanField(default=True, verbose_name=TIERS["tier_registry"])
    tier_contact = models.BooleanField(default=True, verbose_name=TIERS["tier_contact"])
    tier_linkage = models.BooleanField(default=False, verbose_name=TIERS["tier_linkage"])
    tier_samples = models.BooleanField(default=False, verbose_name=TIERS["tier_samples"])
    tier_sharing = models.BooleanField(default=False, verbose_name=TIERS["tier_sharing"])
    recorded_at = models.DateTimeField()
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["patient", "signed_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "document", "signed_on"], name="consent_is_recorded_once"
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_consent_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} signed {self.signed_on}"


class Enrolment(models.Model):
    """How the person came in: the enrolment date, the diabetes history and the measures of that day."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT)
    enrolled_on = models.DateField()
    diabetes_diagnosis_date = PartialDateField(blank=True)
    height_cm = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)
    weight_kg = models.DecimalField(max_digits=5, decimal_places=1, null=True, blank=True)
    insulin_iu_per_day = models.DecimalField(
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        help_text="Blank is unknown; 0 means no insulin.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(insulin_iu_per_day=None) | Q(insulin_iu_per_day__gte=0),
                name="insulin_dose_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"enrolment of patient {self.patient_id}"


class StatusEvent(models.Model):
    """One dated step in a person's status; history is added to, never edited away."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    status = models.CharField(max_length=12, choices=Status.choices)
    on_date = PartialDateField()
    scope = models.CharField(max_length=12, choices=Scope.choices, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    death_confirmed = models.BooleanField(null=True, blank=True)
    cause_of_death = models.CharField(max_length=200, blank=True)
    autopsy = models.CharField(
        max_length=10,
        blank=True,
        choices=[("done", "Done"), ("not_done", "Not done"), ("unknown", "Unknown")],
    )
    recorded_at = models.DateTimeField()
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["patient", "on_date", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "status", "on_date", "scope"], name="status_is_recorded_once"
            ),
            models.CheckConstraint(
                condition=Q(status="withdrawn") | Q(scope=""), name="only_a_withdrawal_has_a_scope"
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_status_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()} on {self.on_date}"


class QueryQuerySet(SiteScopedQuerySet["Query"]):
    view_act = "queries.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        """Without those about the product for people who may not read it: their words name lots and doses. In the same
        way without those about a masked result.
        """
        rows = super().visible_to(user, act)
        if not sees_product(user):
            rows = rows.exclude(about_product())
        return rows if user.may(masking.ACT) else rows.exclude(masking.about_masked())


class Query(models.Model):
    """A question the record itself raises: a broken rule (deviation) or facts that contradict each other."""

    class Kind(models.TextChoices):
        DEVIATION = "deviation", "Deviation"
        CONTRADICTION = "contradiction", "Contradiction"
        MISSING = "missing", "Missing fact"
        OUT_OF_RANGE = "out_of_range", "Out of range"
        DUPLICATE = "duplicate", "Possible duplicate"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ANSWERED = "answered", "Answered"
        CLOSED = "closed", "Closed"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, null=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True)
    kind = models.CharField(max_length=14, choices=Kind.choices)
    rule = models.CharField(max_length=60)
    record = models.CharField(max_length=120)
    field = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField()
    answer = models.CharField(max_length=500, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    objects = QueryQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "record", "field"],
                condition=~Q(status="closed"),
                name="one_open_query_per_rule_and_record",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_query_per_form"
            ),
        ]
        indexes = [models.Index(fields=["site", "status"], name="query_by_site_status")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reason}"
