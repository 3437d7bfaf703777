"""Two rich, consistent and clearly synthetic sets of frozen numbers."""

from followup.reports.numbers import PatientNumbers, SafetyNumbers

INTENDED_USE = (
    "This registry stores and calculates follow-up data of people treated with mesenchymal stromal cells. It does not "
    "diagnose, predict or advise, and it does not replace the sponsor's own safety reports."
)
DIGEST = "9f2c4e71d0a85b36c1e7f4920ab83d5567e0c49a1b2d3f48896754a0c3e1b7d2"


def cover(title: str) -> dict:
    return {
        "registry": "Synthetic MSC Registry", "report_title": title, "period_from": "2030-01-01",
        "period_to": "2030-12-31", "cut_off": "2030-12-31", "frozen_at": "2031-01-14T09:05:00+00:00", "version": "1",
        "status": "draft", "is_demo": True, "is_pseudonymised": True,
        "sites": [
            {"code": "RIV", "name": "Riverside Demo Hospital", "country": "GB", "time_zone": "Europe/London"},
            {"code": "LAK", "name": "Lakeside Demo Clinic", "country": "US", "time_zone": "America/Chicago"},
        ],
        "intended_use": INTENDED_USE, "trail_head": DIGEST,
    }


def _disposition() -> list[dict]:
    plan = [("screening", 0, 2), ("enrolled", 0, 3), ("in_follow_up", 41, 2), ("completed", 3, 0), ("withdrawn", 4, 1),
            ("lost", 2, 0), ("deceased", 2, 0)]
    rows, number = [], 1
    for status, infused, never in plan:
        ids = [f"{'RIV' if n % 2 else 'LAK'}-{n:04d}" for n in range(number, number + infused + never)]
        number += infused + never
        rows.append({"status": status, "infused": infused, "never_infused": never, "patient_ids": ids})
    return rows


TERMS = [  # soc, term, events, worst grades 1–5 and not graded
    ("General disorders and administration site conditions", "Fever", 11, (6, 3, 0, 0, 0, 0)),
    ("General disorders and administration site conditions", "Fatigue", 7, (5, 1, 0, 0, 0, 0)),
    ("General disorders and administration site conditions", "Infusion site extravasation", 2, (1, 1, 0, 0, 0, 0)),
    ("Infections and infestations", "Upper respiratory infection", 9, (0, 8, 0, 0, 0, 0)),
    ("Infections and infestations", "Lung infection", 3, (0, 0, 2, 0, 1, 0)),
    ("Infections and infestations", "Skin infection", 4, (2, 2, 0, 0, 0, 0)),
    ("Metabolism and nutrition disorders", "Hypoglycemia", 14, (6, 4, 1, 0, 0, 1)),
    ("Metabolism and nutrition disorders", "Hyperglycemia", 3, (0, 0, 0, 0, 0, 3)),
    ("Gastrointestinal disorders", "Nausea", 8, (6, 1, 0, 0, 0, 0)),
    ("Gastrointestinal disorders", "Pancreatitis", 1, (0, 0, 1, 0, 0, 0)),
    ("Nervous system disorders", "Headache", 6, (4, 1, 0, 0, 0, 0)),
    ("Vascular disorders", "Hematoma", 3, (2, 1, 0, 0, 0, 0)),
    ("Vascular disorders", "Thromboembolic event", 1, (0, 0, 1, 0, 0, 0)),
    ("Cardiac disorders", "Myocardial infarction", 1, (0, 0, 0, 0, 1, 0)),
    ("Neoplasms benign, malignant and unspecified", "Colonic polyp", 1, (0, 1, 0, 0, 0, 0)),
    ("Neoplasms benign, malignant and unspecified", "Adenocarcinoma of colon", 1, (0, 0, 1, 0, 0, 0)),
]
GRADES = ("1", "2", "3", "4", "5", "not graded")


def _event_terms() -> list[dict]:
    return [
        {"soc": soc, "term": term, "persons": sum(worst), "events": events,
         "worst": dict(zip(GRADES, worst, strict=True))}
        for soc, term, events, worst in TERMS
    ]


def _event_classes() -> list[dict]:
    rows = []
    for soc in dict.fromkeys(term[0] for term in TERMS):
        mine = [t for t in TERMS if t[0] == soc]
        worst = {g: sum(t[3][i] for t in mine) for i, g in enumerate(GRADES)}
        rows.append({"soc": soc, "persons": sum(worst.values()), "events": sum(t[2] for t in mine), "worst": worst})
    return rows


def _serious(ref: str, patient: str, sex: str, age: int, term: str, grade: str, onset: str, days: int, **more: object) -> dict:
    row = {
        "event_ref": ref, "patient_id": patient, "sex": sex, "age_years": age, "term": term, "grade": grade,
        "onset_date": onset, "days_since_last_infusion": days, "last_lot": "DEMO-LOT-03",
        "criteria": ["hospitalisation"], "relatedness_cells": "unlikely", "relatedness_procedure": "unlikely",
        "expectedness": "unexpected", "outcome": "recovered", "end_date": None, "in_period": True,
        "is_contradictory": False,
    }
    return row | more


def _neoplasm(ref: str, patient: str, status: str, **more: object) -> dict:
    row = {
        "case_ref": ref, "patient_id": patient, "sex": "female", "age_years": 61, "status": status,
        "suspected_on": "2030-03-04", "diagnosed_on": None, "months_since_first_infusion": 31, "topography": "",
        "morphology": "", "behaviour": "", "donor_origin": "not done", "is_counted": False, "why_not_counted": "",
    }
    return row | more


def safety_numbers() -> SafetyNumbers:
    visits = [("M3", "Month 3", 49, 2, 0, 1, 0), ("M6", "Month 6", 45, 3, 1, 1, 0), ("M12", "Month 12", 40, 4, 2, 1, 1),
              ("M24", "Month 24", 31, 3, 3, 2, 1), ("M36", "Month 36", 22, 2, 2, 2, 2), ("M48", "Month 48", 12, 1, 2, 1, 2),
              ("M60", "Month 60", 6, 1, 1, 0, 1)]
    outcomes = ("done in window", "done outside window", "overdue", "missed", "not required")
    return {
        "schema": "safety_numbers/1",
        "cover": cover("Periodic safety report"),
        "persons_in_registry": 60,
        "disposition": _disposition(),
        "withdrawals": [{"scope": "no_cells", "persons": 2}, {"scope": "no_visits", "persons": 2},
                        {"scope": "no_contact", "persons": 1}],
        "sexes": [{"sex": "female", "persons": 24}, {"sex": "male", "persons": 28}],
        "baseline": [
            {"measure": "Age at first infusion", "unit": "years", "n": 52, "n_missing": 0, "median": 57.0,
             "first_quartile": 50.0, "third_quartile": 63.0, "low": 34.0, "high": 71.0},
            {"measure": "Diabetes duration", "unit": "years", "n": 49, "n_missing": 3, "median": 9.5,
             "first_quartile": 6.0, "third_quartile": 14.0, "low": 1.0, "high": 27.0},
            {"measure": "HbA1c", "unit": "%", "n": 50, "n_missing": 2, "median": 8.7, "first_quartile": 8.1,
             "third_quartile": 9.4, "low": 7.2, "high": 11.6},
            {"measure": "Fasting C-peptide", "unit": "nmol/L", "n": 46, "n_missing": 6, "median": 0.61,
             "first_quartile": 0.42, "third_quartile": 0.84, "low": 0.11, "high": 1.52},
            {"measure": "Insulin dose", "unit": "IU/kg/day", "n": 44, "n_missing": 8, "median": 0.48,
             "first_quartile": 0.31, "third_quartile": 0.66, "low": 0.0, "high": 1.12},
        ],
        "exposure": {
            "persons": 52, "infusions": 113, "infusions_in_period": 21,
            "dose_bands": [{"key": "lt1", "label": "under 1"}, {"key": "1to2", "label": "1 to under 2"},
                           {"key": "2to5", "label": "2 to under 5"}, {"key": "unknown", "label": "unknown"}],
            "rows": [
                {"tissue_source": "umbilical_cord", "route": "iv_peripheral", "persons": 27, "infusions": 66,
                 "infusions_in_period": 14, "by_band": {"lt1": 4, "1to2": 55, "2to5": 6, "unknown": 1}},
                {"tissue_source": "whartons_jelly", "route": "iv_peripheral", "persons": 14, "infusions": 29,
                 "infusions_in_period": 5, "by_band": {"lt1": 0, "1to2": 26, "2to5": 3, "unknown": 0}},
                {"tissue_source": "bone_marrow", "route": "ia_splenic", "persons": 8, "infusions": 11,
                 "infusions_in_period": 2, "by_band": {"lt1": 2, "1to2": 7, "2to5": 1, "unknown": 1}},
                {"tissue_source": "adipose", "route": "iv_central", "persons": 3, "infusions": 7,
                 "infusions_in_period": 0, "by_band": {"lt1": 0, "1to2": 7, "2to5": 0, "unknown": 0}},
            ],
            "persons_by_infusions": [{"infusions": 1, "persons": 12}, {"infusions": 2, "persons": 19},
                                     {"infusions": 3, "persons": 21}],
            "person_time": [
                {"group": "total", "label": "All persons infused", "persons": 52, "years_cumulative": 171.4, "years_in_period": 44.9},
                {"group": "sex", "label": "Female", "persons": 24, "years_cumulative": 80.2, "years_in_period": 20.8},
                {"group": "sex", "label": "Male", "persons": 28, "years_cumulative": 91.2, "years_in_period": 24.1},
                {"group": "age", "label": "Under 50 years", "persons": 13, "years_cumulative": 39.7, "years_in_period": 10.4},
                {"group": "age", "label": "50 to 64 years", "persons": 29, "years_cumulative": 98.8, "years_in_period": 26.2},
                {"group": "age", "label": "65 years and over", "persons": 10, "years_cumulative": 32.9, "years_in_period": 8.3},
            ],
        },
        "event_overview": [
            {"kind": "any", "persons": 38, "events": 75, "persons_in_period": 17, "events_in_period": 24, "rate_per_100_person_years": 43.76},
            {"kind": "related", "persons": 21, "events": 31, "persons_in_period": 8, "events_in_period": 10, "rate_per_100_person_years": 18.09},
            {"kind": "grade_3_or_higher", "persons": 8, "events": 8, "persons_in_period": 3, "events_in_period": 3, "rate_per_100_person_years": 4.67},
            {"kind": "serious", "persons": 6, "events": 6, "persons_in_period": 4, "events_in_period": 4, "rate_per_100_person_years": 3.50},
            {"kind": "special_interest", "persons": 7, "events": 8, "persons_in_period": 3, "events_in_period": 3, "rate_per_100_person_years": 4.67},
            {"kind": "led_to_withdrawal", "persons": 1, "events": 1, "persons_in_period": 0, "events_in_period": 0, "rate_per_100_person_years": 0.58},
            {"kind": "fatal", "persons": 2, "events": 2, "persons_in_period": 1, "events_in_period": 1, "rate_per_100_person_years": 1.17},
        ],
        "event_classes": _event_classes(),
        "event_terms": _event_terms(),
        "infusion_reactions": {
            "infusions": 113, "observed_infusions": 110,
            "rows": [
                {"reaction": "fever", "infusions": 9, "persons": 8, "percent_of_infusions": 8.18, "low_percent": 3.81, "high_percent": 14.96},
                {"reaction": "chills", "infusions": 3, "persons": 3, "percent_of_infusions": 2.73, "low_percent": 0.57, "high_percent": 7.76},
                {"reaction": "puncture haematoma", "infusions": 2, "persons": 2, "percent_of_infusions": 1.82, "low_percent": 0.22, "high_percent": 6.41},
            ],
        },
        "serious_events": [
            _serious("AE-0031", "RIV-0007", "male", 66, "Lung infection", "5", "2029-11-20", 402,
                     criteria=["death", "hospitalisation"], outcome="fatal", end_date="2029-12-01", in_period=False),
            _serious("AE-0044", "LAK-0012", "female", 58, "Pancreatitis", "3", "2030-02-11", 6,
                     relatedness_cells="possible", relatedness_procedure="probable", last_lot="DEMO-LOT-05"),
            _serious("AE-0049", "RIV-0021", "female", 61, "Adenocarcinoma of colon", "3", "2030-04", 1010,
                     criteria=["medically_important"], relatedness_cells=None, relatedness_procedure=None, expectedness=None, outcome="not_recovered"),
            _serious("AE-0052", "LAK-0030", "male", 70, "Myocardial infarction", "5", "2030-06-02", 611,
                     criteria=["death"], outcome="fatal", end_date="2030-06-02"),
            _serious("AE-0058", "RIV-0033", "male", 49, "Lung infection", "3", "2030-09-15", 120, end_date="2030-09-29"),
            _serious("AE-0020", "RIV-0015", "female", 54, "Thromboembolic event", "3", "2028-08-08", 3,
                     relatedness_cells="possible", in_period=False, is_contradictory=True),
        ],
        "special_interest": [
            {"category": "Neoplasm", "persons": 2, "events": 2, "serious": 1},
            {"category": "Thrombo-embolic event", "persons": 1, "events": 1, "serious": 1},
            {"category": "Infusion reaction, grade 2 or higher", "persons": 3, "events": 4, "serious": 0},
            {"category": "Pancreatitis after arterial infusion", "persons": 1, "events": 1, "serious": 1},
        ],
        "neoplasia": {
            "listing": [
                _neoplasm("NEO-001", "RIV-0021", "malignant", diagnosed_on="2030-04-19", topography="C18.7", morphology="8140",
                          behaviour="/3", donor_origin="recipient (STR profile)", is_counted=True),
                _neoplasm("NEO-002", "LAK-0018", "suspected", sex="male", age_years=55, suspected_on="2030-11-28",
                          months_since_first_infusion=22, why_not_counted="work-up open"),
                _neoplasm("NEO-003", "RIV-0009", "excluded", sex="male", age_years=63, suspected_on="2028-05",
                          months_since_first_infusion=14, why_not_counted="excluded by imaging and biopsy"),
            ],
            "rates": [
                {"definition": "status_known", "cases": 1, "persons": 52, "person_years": 158.2, "unascertained_years": 13.2,
                 "rate_per_100_person_years": 0.6321, "low": 0.016, "high": 3.5219},
                {"definition": "to_cut_off", "cases": 1, "persons": 52, "person_years": 171.4, "unascertained_years": 0.0,
                 "rate_per_100_person_years": 0.5834, "low": 0.0148, "high": 3.2507},
                {"definition": "without_first_6_months", "cases": 1, "persons": 48, "person_years": 132.9, "unascertained_years": 13.2,
                 "rate_per_100_person_years": 0.7524, "low": 0.0191, "high": 4.1924},
            ],
            "by_time_since_infusion": [
                {"band": "under 1 year", "cases": 0, "person_years": 49.3, "rate_per_100_person_years": 0.0, "low": 0.0, "high": 7.4825},
                {"band": "1 to under 5 years", "cases": 1, "person_years": 101.6, "rate_per_100_person_years": 0.9843, "low": 0.0249, "high": 5.4839},
                {"band": "5 to under 10 years", "cases": 0, "person_years": 7.3, "rate_per_100_person_years": 0.0, "low": 0.0, "high": 50.5325},
                {"band": "10 years and over", "cases": 0, "person_years": 0.0, "rate_per_100_person_years": None, "low": None, "high": None},
            ],
            "checks_due": 141, "checks_done": 127, "expected": None,
        },
        "follow_up": {
            "completeness": [
                {"visit_code": v[0], "label": v[1], "outcomes": dict(zip(outcomes, v[2:], strict=True))} for v in visits
            ],
            "overdue": [
                {"patient_id": f"{'RIV' if n % 3 else 'LAK'}-{n:04d}", "site": "RIV" if n % 3 else "LAK", "visit_code": code,
                 "sequence": 1, "target_date": "2030-09-14", "window_closes": "2030-11-13", "days_late": late,
                 "contact_attempts": n % 4, "last_contact": "2030-12-01" if n % 4 else None}
                for n, code, late in ((8, "M12", 48), (11, "M24", 131), (14, "M36", 12), (19, "M12", 210), (23, "M24", 33),
                                      (27, "M48", 77), (31, "M6", 9), (36, "M24", 54), (40, "M36", 161), (44, "M60", 20), (47, "M48", 5))
            ],
            "persons_under_follow_up": 43, "persons_seen_within_12_months": 39, "persons_without_next_visit": 0,
        },
        "queries": [
            {"kind": "serious = no, but a criterion is ticked", "site": "RIV", "open": 1, "oldest_opened_on": "2028-08-20"},
            {"kind": "dose outside plan", "site": "LAK", "open": 3, "oldest_opened_on": "2030-07-02"},
            {"kind": "end before start", "site": "LAK", "open": 2, "oldest_opened_on": "2030-10-19"},
        ],
        "reconciliation": [
            {"record": "patients", "in_registry": 60, "excluded": {"never infused": 8}, "counted": 52},
            {"record": "infusions", "in_registry": 115, "excluded": {"after the cut-off": 2}, "counted": 113},
            {"record": "adverse events", "in_registry": 78, "excluded": {"after the cut-off": 2, "onset before first infusion": 1}, "counted": 75},
            {"record": "neoplasia cases", "in_registry": 3, "excluded": {"suspected, work-up open": 1, "excluded by work-up": 1}, "counted": 1},
        ],
        "definitions": [
            {"term": "Person-years", "meaning": "(earliest of event, exit and cut-off) less first infusion, in days, divided by 365.25."},
            {"term": "Neoplasia person-time", "meaning": "Ends at the last date neoplasia status was known, the event, death or the cut-off."},
            {"term": "Exact interval", "meaning": "95 % two-sided; Poisson rates after Garwood, proportions after Clopper and Pearson."},
            {"term": "Serious", "meaning": "At least one criterion of ICH E2A; until assessed an event counts as related and unexpected."},
        ],
        "versions": {"Follow-up plan": "default 1", "Grading": "CTCAE 5.0", "Software": "0.1.0"},
    }


def _points(rows: list[tuple[str, float | None]], *, below: str = "") -> list[dict]:
    return [{"date": d, "value": v, "comparator": "<" if d == below else ""} for d, v in rows]


def patient_numbers(*, identified: bool = False) -> PatientNumbers:
    page = cover("Patient report") | {"period_from": None, "period_to": None, "is_pseudonymised": not identified}
    page["sites"] = page["sites"][:1]
    days = ("2027-01-28", "2027-05-10", "2027-08-06", "2027-11-09", "2028-02-11", "2028-08-10", "2029-02-14", "2030-02-20", "2030-08-30")
    hba1c = (9.1, 8.2, 7.4, 7.1, 7.2, 7.6, 8.0, 8.4, 8.3)
    c_peptide = (0.42, 0.38, 0.61, 0.70, 0.66, 0.55, None, 0.40, 0.1)
    insulin = (46.0, 38.0, 24.0, 16.0, 14.0, 20.0, 26.0, 30.0, 30.0)
    identity = {"full_name": "Demo Person", "birth_date": "1972-02-03", "local_id": "H-000-DEMO", "phone": "not a real number"}
    return {
        "schema": "patient_numbers/1",
        "cover": page,
        "patient": {
            "patient_id": "RIV-0042-K", "site": "Riverside Demo Hospital", "sex": "female", "birth_year": 1972,
            "identity": identity if identified else None, "status": "in_follow_up", "status_since": "2027-02-10",
            "enrolled_on": "2027-01-12", "diabetes_since": "2014", "last_contact": "2030-12-11", "next_visit": "2031-02-10",
        },
        "status_history": [
            {"status": "screening", "on_date": "2026-12-20", "reason": ""},
            {"status": "enrolled", "on_date": "2027-01-12", "reason": "consent given, eligibility confirmed"},
            {"status": "in_follow_up", "on_date": "2027-02-10", "reason": "first infusion"},
        ],
        "consents": [
            {"version": "2.0", "language": "en", "signed_on": "2027-01-12", "tiers": ["treatment", "15-year contact", "registry linkage"],
             "withdrawn_on": None, "scope": None},
        ],
        "infusions": [
            {"number": n, "infused_on": d, "lot": f"DEMO-LOT-0{n}", "tissue_source": "umbilical_cord", "route": "iv_peripheral",
             "cells_total_million": cells, "viability_percent": viable, "weight_kg": kg, "viable_million_cells_per_kg": dose,
             "reaction": reaction, "deviations": deviations}
            for n, d, cells, viable, kg, dose, reaction, deviations in (
                (1, "2027-02-10", 92.0, 94.0, 81.2, 1.065, "fever, 38.1 °C", []),
                (2, "2027-03-10", 90.0, 91.5, 80.7, 1.020, "none", []),
                (3, "2027-04-12", 95.0, 78.0, 80.1, 0.925, "none", ["viability below the release limit of 80 %"]))
        ],
        "hba1c_percent": {"baseline": 9.1, "baseline_on": "2027-01-28", "points": _points(list(zip(days, hba1c, strict=True)))},
        "c_peptide_nmol_l": {"baseline": 0.42, "baseline_on": "2027-01-28",
                             "points": _points(list(zip(days, c_peptide, strict=True)), below="2030-08-30")},
        "insulin_iu_per_day": {"baseline": 46.0, "baseline_on": "2027-02-09", "points": _points(list(zip(days, insulin, strict=True)))},
        "insulin_iu_per_kg_day": {"baseline": 0.57, "baseline_on": "2027-02-09",
                                  "points": _points([(d, round(v / 80.5, 2)) for d, v in zip(days, insulin, strict=True)])},
        "derived": [
            {"code": "homa_ir", "unit": "1", "at": "2030-08-30", "value": 4.1, "baseline": 5.6, "status": "not_interpretable",
             "reason": "insulin treatment at collection", "formula_version": "1"},
            {"code": "egfr_ckd_epi_2021", "unit": "mL/min/1.73 m²", "at": "2030-08-30", "value": 84.0, "baseline": 91.0,
             "status": "ok", "reason": "", "formula_version": "1"},
            {"code": "bmi", "unit": "kg/m²", "at": "2030-08-30", "value": 29.4, "baseline": 30.6, "status": "ok", "reason": "", "formula_version": "1"},
            {"code": "c_peptide_glucose_ratio", "unit": "nmol/mmol", "at": "2030-08-30", "value": None, "baseline": 0.045,
             "status": "not_computable", "reason": "C-peptide beyond the assay limit", "formula_version": "1"},
        ],
        "schedule": [
            {"visit_code": code, "label": label, "sequence": 1, "target_date": target, "window_opens": opens, "window_closes": closes,
             "status": status, "actual_date": actual, "days_late": late}
            for code, label, target, opens, closes, status, actual, late in (
                ("M12", "Month 12", "2028-02-10", "2028-01-11", "2028-03-11", "done", "2028-02-11", None),
                ("M18", "Month 18", "2028-08-10", "2028-07-11", "2028-09-09", "done", "2028-08-10", None),
                ("M24", "Month 24", "2029-02-10", "2028-12-12", "2029-04-11", "done", "2029-02-14", None),
                ("M36", "Month 36", "2030-02-10", "2029-12-12", "2030-04-11", "done", "2030-02-20", None),
                ("UNS", "Unscheduled", "2030-08-30", "2030-08-30", "2030-08-30", "done", "2030-08-30", None),
                ("M42", "Month 42 (added)", "2030-08-10", "2030-07-11", "2030-09-09", "late", None, 113),
                ("M48", "Month 48", "2031-02-10", "2030-12-12", "2031-04-11", "open", None, None),
                ("M60", "Month 60", "2032-02-10", "2031-12-12", "2032-04-10", "planned", None, None))
        ],
        "events": [
            {"event_ref": "AE-0007", "term": "Fever", "grade": "1", "is_serious": False, "onset_date": "2027-02-10",
             "end_date": "2027-02-11", "outcome": "recovered", "relatedness_cells": "probable"},
            {"event_ref": "AE-0019", "term": "Lung infection", "grade": "3", "is_serious": True, "onset_date": "2028-06-03",
             "end_date": "2028-06-17", "outcome": "recovered", "relatedness_cells": "unlikely"},
            {"event_ref": "AE-0040", "term": "Hypoglycemia", "grade": None, "is_serious": False, "onset_date": "2029-10",
             "end_date": None, "outcome": "unknown", "relatedness_cells": None},
        ],
        "neoplasia_checks": [
            {"on_date": "2028-02-11", "visit_code": "M12", "contact_mode": "on_site", "completeness": "complete", "result": "no suspicion"},
            {"on_date": "2029-02-14", "visit_code": "M24", "contact_mode": "on_site", "completeness": "complete", "result": "no suspicion"},
            {"on_date": "2030-02-20", "visit_code": "M36", "contact_mode": "phone", "completeness": "partial", "result": "no suspicion; examination still due"},
        ],
        "open_matters": [
            {"kind": "visit", "text": "Eye examination late", "since": "2030-09-10", "due_on": None},
            {"kind": "query", "text": "Grade of AE-0040 missing", "since": "2030-01-08", "due_on": "2031-01-31"},
        ],
        "versions": {"Follow-up plan": "default 1", "Grading": "CTCAE 5.0", "Software": "0.1.0"},
    }
