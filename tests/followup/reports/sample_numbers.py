"""Two rich, consistent and clearly synthetic sets of frozen numbers, as the collector would freeze them."""

import json
from pathlib import Path

from followup.reports.numbers import SafetyNumbers
from followup.reports.patient_numbers import PatientNumbers

HERE = Path(__file__).parent


def safety_numbers() -> SafetyNumbers:
    return json.loads((HERE / "sample_safety.json").read_text(encoding="utf-8"))


def patient_numbers(*, identified: bool = False) -> PatientNumbers:
    numbers: PatientNumbers = json.loads((HERE / "sample_patient.json").read_text(encoding="utf-8"))
    if identified:
        numbers["cover"]["is_pseudonymised"] = False
        numbers["patient"]["identity"] = {
            "full_name": "Demo Person",
            "birth_date": "1972-02-03",
            "local_id": "H-000-DEMO",
            "phone": "not a real number",
        }
    return numbers
