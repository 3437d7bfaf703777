"""What a neoplasia check asks, and what follows from a case. No database, no clock."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from registry import partial_dates

TOPOGRAPHY = re.compile(r"C\d\d\.\d")
MORPHOLOGY = re.compile(r"\d{4}/[0-369]")
UNKNOWN_SITE = "C80.9"
UNVERIFIED = "8000/3"
DAYS_TO_CLOSE = 14  # a house default that the responsible investigator confirms

# The check form ------------------------------------------------------------------------------------------------

HISTORY, PHYSICAL, LABORATORY, IMAGING, SCREENING = (
    "history",
    "physical",
    "laboratory",
    "imaging",
    "screening",
)
SECTIONS = {
    HISTORY: "History",
    PHYSICAL: "Physical examination",
    LABORATORY: "Laboratory",
    IMAGING: "Imaging",
    SCREENING: "Screening for the age",
}
NORMAL, ABNORMAL = "normal", "abnormal"
ANSWERS: dict[str, dict[str, str]] = {
    HISTORY: {"no": "No", "yes": "Yes"},
    PHYSICAL: {NORMAL: "Normal", ABNORMAL: "Abnormal"},
    LABORATORY: {NORMAL: "Normal or unchanged", ABNORMAL: "Abnormal", "awaited": "Result awaited"},
    IMAGING: {NORMAL: "Normal", ABNORMAL: "Abnormal", "awaited": "Report awaited"},
    SCREENING: {"up_to_date": "Up to date", "due": "Due", "declined": "Declined"},
}
NOT_DONE, NOT_APPLICABLE = "not_done", "not_applicable"
LEFT_OUT = {NOT_DONE: "Not asked or not done", NOT_APPLICABLE: "Does not apply"}


@dataclass(frozen=True)
class Item:
    """`sex` and `organ` limit it to those it concerns; `ages` are whole years, both ends included."""

    code: str
    section: str
    label: str
    sex: str = ""
    organ: str = ""
    ages: tuple[int, int] | None = None


ITEMS = (
    Item("weight_loss", HISTORY, "Weight loss of 5 % or more in 6 months"),
    Item("night_sweats", HISTORY, "Night sweats"),
    Item("fever", HISTORY, "Fever without a cause"),
    Item("lump", HISTORY, "New lump"),
    Item("bleeding", HISTORY, "Bleeding"),
    Item("bowel_urinary", HISTORY, "Change of bowel or urinary habit"),
    Item("cough", HISTORY, "Cough that stays"),
    Item("neuro_symptoms", HISTORY, "Neurological symptoms"),
    Item("cancer_history", HISTORY, "Cancer in the past or in the family"),
    Item("tobacco", HISTORY, "Tobacco"),
    Item("alcohol", HISTORY, "Alcohol above low-risk use"),
    Item("carcinogens", HISTORY, "Contact with carcinogens"),
    Item("immunosuppressants", HISTORY, "Immunosuppressants"),
    Item("diabetes_drugs", HISTORY, "GLP-1 receptor agonist, pioglitazone or insulin"),
    Item("nodes", PHYSICAL, "Lymph nodes"),
    Item("skin", PHYSICAL, "Skin"),
    Item("thyroid", PHYSICAL, "Thyroid"),
    Item("breast", PHYSICAL, "Breasts", organ="breasts"),
    Item("abdomen", PHYSICAL, "Abdomen"),
    Item("testes", PHYSICAL, "Testes, when indicated", sex="male"),
    Item("prostate", PHYSICAL, "Prostate, when indicated", sex="male", organ="prostate"),
    Item("puncture_sites", PHYSICAL, "Infusion and puncture sites"),
    Item("neurological", PHYSICAL, "Neurological examination"),
    Item("blood_count", LABORATORY, "Blood count with differential"),
    Item("ldh", LABORATORY, "LDH"),
    Item("liver_enzymes", LABORATORY, "ALT and AST"),
    Item("creatinine", LABORATORY, "Creatinine"),
    Item("cea", LABORATORY, "CEA"),
    Item("afp", LABORATORY, "AFP"),
    Item("ca19_9", LABORATORY, "CA 19-9"),
    Item("ca125", LABORATORY, "CA-125", sex="female", organ="ovaries"),
    Item("ca15_3", LABORATORY, "CA 15-3", sex="female", organ="breasts"),
    Item("psa", LABORATORY, "PSA", sex="male", organ="prostate"),
    Item("abdominal_ultrasound", IMAGING, "Abdominal ultrasound: pancreas, liver, spleen, kidneys"),
    Item("chest_imaging", IMAGING, "Chest film or CT, by indication"),
    Item("other_imaging", IMAGING, "MRI or PET, by indication"),
    Item("screening_breast", SCREENING, "Breast: mammography", sex="female", organ="breasts", ages=(40, 74)),
    Item("screening_cervix", SCREENING, "Cervix: HPV test or cytology", sex="female", organ="cervix", ages=(21, 65)),
    Item("screening_colorectal", SCREENING, "Bowel: FIT or colonoscopy", ages=(45, 85)),
    Item("screening_lung", SCREENING, "Lung: low-dose CT, after heavy smoking", ages=(50, 80)),
    Item("screening_prostate", SCREENING, "Prostate, by own decision", sex="male", organ="prostate", ages=(55, 69)),
)  # fmt: skip
ITEM_BY_CODE = {item.code: item for item in ITEMS}


def items_for(*, sex: str, organs_absent: Collection[str], age: int | None) -> list[Item]:
    """The questions that concern this person. Unknown sex or age leaves a question in: better asked than missed."""
    return [
        item
        for item in ITEMS
        if (not item.sex or sex not in ("female", "male") or item.sex == sex)
        and (not item.organ or item.organ not in organs_absent)
        and (item.ages is None or age is None or item.ages[0] <= age <= item.ages[1])
    ]


def status_of(answer: str) -> str:
    """done | not_done | not_applicable; a blank answer is unknown, so it was not done."""
    return answer if answer in LEFT_OUT else "done" if answer else NOT_DONE


def was_done(answers: Mapping[str, str], section: str) -> bool:
    """Whether anything of the section was examined; a report still awaited is not a result."""
    given = (answer for code, answer in answers.items() if ITEM_BY_CODE[code].section == section)
    return any(status_of(answer) == "done" and answer != "awaited" for answer in given)


def is_partial(*, contact_mode: str, answers: Mapping[str, str]) -> bool:
    """By phone, letter or from records, or without an examination: the examination stays due."""
    return contact_mode != "on_site" or not was_done(answers, PHYSICAL)


def abnormal_findings(answers: Mapping[str, str]) -> list[str]:
    """Labels of what was examined and found abnormal."""
    return [ITEM_BY_CODE[code].label for code, answer in answers.items() if answer == ABNORMAL]


# Cases ---------------------------------------------------------------------------------------------------------------


def is_topography(code: str) -> bool:
    return bool(TOPOGRAPHY.fullmatch(code))


def is_morphology(code: str) -> bool:
    return bool(MORPHOLOGY.fullmatch(code))


def behaviour_of(morphology: str) -> str:
    """The digit after the slash of an ICD-O-3 morphology; "" when the code is not one."""
    return morphology[-1] if is_morphology(morphology) else ""


def missing_codes(*, topography: str, morphology: str, basis: str) -> list[tuple[str, str]]:
    """(field, question) for each ICD-O item of a reported neoplasm that somebody still has to find out."""
    questions = (
        ("topography", topography in ("", UNKNOWN_SITE), "Where did it start (ICD-O topography)?"),
        ("morphology", morphology in ("", UNVERIFIED), "What is it under the microscope (ICD-O morphology)?"),
        ("basis_of_diagnosis", not basis, "What is the diagnosis based on, and is there a pathology report?"),
    )
    return [(field, question) for field, is_missing, question in questions if is_missing]


def is_incident(*, found: Iterable[str], first_infusion: date | None) -> bool | None:
    """First found after the first infusion. `found` = partial dates of suspicion and diagnosis; the earliest decides.

    None when nobody was infused or the known part of the date leaves both readings open. The day of the infusion itself
    counts as before: nothing found that day can come from the cells.
    """
    known = [text for text in found if text]
    if first_infusion is None or not known:
        return None
    if any(partial_dates.latest(text) <= first_infusion for text in known):
        return False
    return True if all(partial_dates.earliest(text) > first_infusion for text in known) else None


def same_report(first: str, second: str) -> bool:
    """Two terms that say the same but for case and blanks."""
    return _words(first) == _words(second)


def _words(text: str) -> str:
    return " ".join(text.casefold().split())
