"""Eligibility answers, complications and neoplasia history at enrolment. Blank is unknown, never "no"."""

from __future__ import annotations

from django.db import models

from registry.patients.models import Patient


def _answer(question: str) -> models.BooleanField[bool | None, bool | None]:
    return models.BooleanField(null=True, blank=True, verbose_name=question)


def _grade(name: str, grades: str) -> models.CharField[str, str]:
    choices = [(grade, grade) for grade in grades.split("|")]
    return models.CharField(max_length=40, blank=True, verbose_name=name, choices=choices)


class Eligibility(models.Model):
    """What `decisions` asks before cells are given. A "yes" to an exclusion is recorded, and weighed by the physician."""

    patient = models.OneToOneField(Patient, on_delete=models.PROTECT)
    assessed_on = models.DateField(null=True, blank=True)
    cancer_last_5_years = _answer("Cancer in the last 5 years")
    open_suspicion = _answer("Open suspicion of a neoplasm")
    gad65_positive = _answer("GAD65 antibodies positive")
    low_c_peptide = _answer("Low C-peptide (fasting < 0.2 nmol/L)")
    pregnant = _answer("Pregnant or breast-feeding")
    egfr_below_30 = _answer("eGFR below 30 mL/min/1.73 m²")
    hiv = _answer("HIV positive")
    hepatitis_b = _answer("Hepatitis B positive")
    hepatitis_c = _answer("Hepatitis C positive")
    bleeding_risk = _answer("Raised bleeding risk or anticoagulant")
    contrast_allergy = _answer("Allergy to contrast agent")
    screening_up_to_date = _answer("Age-appropriate cancer screening up to date")
    baseline_neoplasia_check = _answer("Baseline neoplasia check done")
    retinopathy = _grade("Retinopathy", "none|background|pre-proliferative|proliferative")
    nephropathy = _grade("Albuminuria", "A1 (< 3 mg/mmol)|A2 (3–30 mg/mmol)|A3 (> 30 mg/mmol)")
    neuropathy = _grade("Neuropathy", "none|mild|moderate|severe")
    foot = _grade("Foot", "low risk|moderate risk|high risk|active ulcer")
    cardiovascular = _grade("Cardiovascular disease", "none|stable|event in the last 12 months")
    past_cancer = models.CharField(max_length=300, blank=True, verbose_name="Cancer in the past")
    family_cancer = models.CharField(max_length=300, blank=True, verbose_name="Cancer in the family")
    tobacco_pack_years = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name="Tobacco (pack-years)"
    )
    alcohol_units_per_week = models.PositiveSmallIntegerField(
        null=True, blank=True, verbose_name="Alcohol (units per week)"
    )
    immunosuppressants = _answer("Immunosuppressants")
    glp1_or_pioglitazone = _answer("GLP-1 receptor agonist or pioglitazone, ever")
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return f"eligibility of patient {self.patient_id}"
