from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.patients.rules import (
    CHECK_ALPHABET,
    ELIGIBILITY_QUESTIONS,
    WITHDRAWAL_SCOPES,
    UnusableSerial,
    baseline_insulin_iu_per_day,
    consent_valid_on,
    eligibility_findings,
    is_baseline,
    make_patient_id,
    mod_37_2,
    name_words,
    next_patient_id,
    normalise_phone,
    normalise_record_number,
    patient_id_is_wellformed,
    record_numbers_may_match,
    scope_effect,
    treatment_start,
)

SITES = st.text(CHECK_ALPHABET[:36], min_size=1, max_size=6)
SERIALS = st.integers(0, 120_000)
DAYS = st.dates(date(1990, 1, 1), date(2080, 1, 1))


def test_check_character_of_the_published_example() -> None:
    assert mod_37_2("G123498654321") == "H"


def test_a_patient_id_is_site_serial_and_check_character() -> None:
    assert make_patient_id("RIV", 42).startswith("RIV-0042-")
    assert make_patient_id("riv", 42) == make_patient_id("RIV", 42)
    assert make_patient_id("RIV", 12345).startswith("RIV-12345-")


@given(SITES, SERIALS)
def test_allocation_gives_the_next_wellformed_id(site: str, after: int) -> None:
    serial, patient_id = next_patient_id(site, after)
    assert after < serial <= after + 4
    assert patient_id_is_wellformed(patient_id)
    assert make_patient_id(site, serial) == patient_id


@given(SITES, SERIALS, st.data())
def test_every_single_wrong_character_is_caught(site: str, after: int, data: st.DataObject) -> None:
    patient_id = next_patient_id(site, after)[1]
    place = data.draw(st.integers(0, len(patient_id) - 1))
    wrong = data.draw(st.sampled_from(CHECK_ALPHABET + "-").filter(lambda each: each != patient_id[place]))
    assert not patient_id_is_wellformed(patient_id[:place] + wrong + patient_id[place + 1 :])


@given(SITES, SERIALS, st.data())
def test_every_swap_of_neighbours_is_caught(site: str, after: int, data: st.DataObject) -> None:
    patient_id = next_patient_id(site, after)[1]
    place = data.draw(st.integers(0, len(patient_id) - 2))
    first, second = patient_id[place], patient_id[place + 1]
    if first != second:
        assert not patient_id_is_wellformed(patient_id[:place] + second + first + patient_id[place + 2 :])


def test_all_swaps_and_substitutions_of_the_first_thousand_ids() -> None:
    serial, checked = 0, 0
    while serial < 1000:
        serial, patient_id = next_patient_id("701", serial)
        for place in range(len(patient_id) - 1):
            swapped = patient_id[:place] + patient_id[place + 1] + patient_id[place] + patient_id[place + 2 :]
            assert swapped == patient_id or not patient_id_is_wellformed(swapped)
            checked += 1
    assert checked > 8000


def test_a_serial_with_a_star_is_never_given_out() -> None:
    given_out = []
    serial = 0
    while serial < 200:
        serial, _ = next_patient_id("RIV", serial)
        given_out.append(serial)
    skipped = set(range(1, 201)) - set(given_out)
    assert 3 <= len(skipped) <= 8
    for missing in skipped:
        with pytest.raises(UnusableSerial):
            make_patient_id("RIV", missing)


@pytest.mark.parametrize(("site", "serial"), [("", 1), ("---", 1), ("RIV", 0), ("RIV", -4)])
def test_no_id_from_nothing(site: str, serial: int) -> None:
    with pytest.raises(ValueError, match="No patient id"):
        make_patient_id(site, serial)


@pytest.mark.parametrize(
    "text", ["", "RIV-42-K", "01-701-1015", "riv-0042-k", "RIV-0042", "RIV-0042-*", "RIV-0042-KK"]
)
def test_other_ids_are_not_ours(text: str) -> None:
    assert not patient_id_is_wellformed(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("García-Márquez", ["garcia", "marquez"]),
        ("  O'Brien  Ann ", ["o", "brien", "ann"]),
        ("STRAẞE straße", ["strasse", "strasse"]),
        ("Łukasz Sørensen", ["lukasz", "sorensen"]),
        ("İpek", ["ipek"]),
        ("Ｍüller", ["muller"]),
        ("J. R. Smith", ["j", "r", "smith"]),
        ("Ольга Иванова", ["ольга", "иванова"]),
        ("李 小龍", ["李", "小龍"]),
        ("- ' ", []),
    ],
)
def test_words_of_a_name(text: str, words: list[str]) -> None:
    assert name_words(text) == words


@given(st.text(max_size=40))
def test_comparing_again_changes_nothing(text: str) -> None:
    assert name_words(" ".join(name_words(text))) == name_words(text)
    assert normalise_phone(normalise_phone(text)) == normalise_phone(text)
    assert normalise_record_number(normalise_record_number(text)) == normalise_record_number(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("0044 20 7946 0018", "+442079460018"),
        ("020-7946-0018", "02079460018"),
        ("(020) 7946.0018", "02079460018"),
        ("٠١٢٣", "0123"),
        ("no telephone", ""),
        ("+", ""),
    ],
)
def test_telephone_numbers(text: str, expected: str) -> None:
    assert normalise_phone(text) == expected


def test_record_numbers_keep_their_zeros_and_lose_their_separators() -> None:
    assert normalise_record_number(" 00-12 34/a") == "001234A"
    assert normalise_record_number("001234") != normalise_record_number("1234")
    assert record_numbers_may_match("00-1234", "1234")
    assert not record_numbers_may_match("", "0")
    assert not record_numbers_may_match("12340", "1234")


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ([], "infuse visit contact records identifiers"),
        (["no_cells"], "visit contact records identifiers"),
        (["no_visits"], "contact records identifiers"),
        (["no_contact"], "records identifiers"),
        (["no_new_data"], "identifiers"),
        (["erase"], ""),
        (["no_cells", "no_new_data"], "identifiers"),
    ],
)
def test_what_each_withdrawal_leaves(scopes: list[str], allowed: str) -> None:
    effect = scope_effect(scopes)
    flags = {
        "infuse": effect.may_infuse,
        "visit": effect.may_visit_on_site,
        "contact": effect.may_contact,
        "records": effect.may_use_records,
        "identifiers": effect.keeps_identifiers,
    }
    assert {name for name, flag in flags.items() if flag} == set(allowed.split())


def test_records_after_no_contact_need_consent_to_linkage() -> None:
    assert not scope_effect(["no_contact"], linkage_consented=False).may_use_records
    assert scope_effect(["no_visits"], linkage_consented=False).may_use_records


def test_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="everything"):
        scope_effect(["everything"])


@given(st.sets(st.sampled_from(WITHDRAWAL_SCOPES)), st.sampled_from(WITHDRAWAL_SCOPES))
def test_one_more_withdrawal_never_allows_more(scopes: set[str], more: str) -> None:
    before, after = scope_effect(scopes), scope_effect(scopes | {more})
    for name in ("may_infuse", "may_visit_on_site", "may_contact", "may_use_records", "keeps_identifiers"):
        assert getattr(after, name) <= getattr(before, name)


def test_consent_covers_its_days() -> None:
    given_on, ended_on = date(2027, 3, 1), date(2027, 9, 1)
    assert not consent_valid_on(date(2027, 2, 28), given_on)
    assert consent_valid_on(date(2027, 3, 1), given_on)
    assert consent_valid_on(date(2042, 3, 1), given_on)
    assert consent_valid_on(date(2027, 8, 31), given_on, withdrawn_on=ended_on)
    assert not consent_valid_on(ended_on, given_on, withdrawn_on=ended_on)
    assert not consent_valid_on(ended_on, given_on, superseded_on=ended_on)
    assert not consent_valid_on(date(2027, 3, 1), None)


FIT = dict.fromkeys(ELIGIBILITY_QUESTIONS, False) | {
    "screening_up_to_date": True,
    "baseline_neoplasia_check": True,
}


def test_a_fit_person_has_no_finding() -> None:
    assert eligibility_findings(FIT) == []


def test_a_blank_form_is_all_unknown_and_nothing_is_taken_for_no() -> None:
    for blank in ({}, dict.fromkeys(ELIGIBILITY_QUESTIONS)):
        findings = eligibility_findings(blank)
        assert {finding.level for finding in findings} == {"unknown"}
        assert len(findings) == 13


@pytest.mark.parametrize("question", ELIGIBILITY_QUESTIONS)
def test_each_worrying_answer_is_found_by_itself(question: str) -> None:
    findings = eligibility_findings(FIT | {question: not FIT[question]})
    assert [finding.code for finding in findings] == [question]
    assert findings[0].level in {"exclusion", "caution"}


def test_an_answer_to_a_question_nobody_asked_is_an_error() -> None:
    with pytest.raises(KeyError, match="shoe_size"):
        eligibility_findings(FIT | {"shoe_size": True})


@pytest.mark.parametrize(
    ("kind", "age_days", "counts"),
    [
        ("hba1c", 90, True),
        ("hba1c", 91, False),
        ("c_peptide", 60, True),
        ("c_peptide", 61, False),
        ("index", 61, False),
        ("tumour_marker", 90, True),
        ("imaging", 180, True),
        ("imaging", 181, False),
        ("hba1c", 0, False),
        ("hba1c", -1, False),
    ],
)
def test_age_of_a_baseline_value(kind: str, age_days: int, counts: bool) -> None:
    treated_on = date(2027, 6, 1)
    assert is_baseline(kind, treated_on - timedelta(days=age_days), treated_on) is counts


def test_a_value_of_the_day_counts_when_known_to_be_from_before() -> None:
    assert is_baseline("hba1c", date(2027, 6, 1), date(2027, 6, 1), before_treatment_that_day=True)


def test_treatment_starts_with_whatever_came_first() -> None:
    assert treatment_start(date(2027, 6, 1), None, date(2027, 5, 20)) == date(2027, 5, 20)
    assert treatment_start(None, None, None) is None


def test_baseline_insulin_is_the_mean_of_seven_days_and_never_zero_for_want_of_data() -> None:
    treated_on = date(2027, 6, 8)
    doses = [
        (date(2027, 5, 31), 90.0),
        (date(2027, 6, 1), 40.0),
        (date(2027, 6, 7), 44.0),
        (treated_on, 10.0),
    ]
    assert baseline_insulin_iu_per_day(doses, treated_on) == 42.0
    assert baseline_insulin_iu_per_day([], treated_on) is None
    assert baseline_insulin_iu_per_day([(date(2027, 6, 7), 0.0)], treated_on) == 0.0
