"""Which tests a blinded protocol may mask, and what follows from them. Tests that care depends on are not offered."""

from followup.labs.catalogue import ANALYTES
from followup.labs.derivation import INPUTS

EFFICACY = ("glycaemia", "islet_function", "clamp", "cgm")
NEEDED_FOR_CARE = {"ketones", "glucose_random"}
HOMA2_INPUTS = frozenset(("fasting_glucose", "fasting_insulin", "fasting_c_peptide"))
# Tests that are typed or sent as results, and the tests they are worked out from elsewhere.
REPORTED = {
    "homa2_b": HOMA2_INPUTS,
    "homa2_s": HOMA2_INPUTS,
    "homa2_ir": HOMA2_INPUTS,
    "cgm_gmi": frozenset(("cgm_mean_glucose",)),
}


def maskable() -> dict[str, str]:
    return {
        code: analyte.label
        for code, analyte in ANALYTES.items()
        if analyte.assessment in EFFICACY and code not in NEEDED_FOR_CARE
    }


def measured(masked: frozenset[str]) -> frozenset[str]:
    """With the reported tests that are worked out from a masked one."""
    return masked | {code for code, inputs in REPORTED.items() if masked & inputs}


def following(masked: frozenset[str]) -> frozenset[str]:
    """The indices that would tell of a masked result: each that has one among its inputs."""
    return frozenset(code for code, inputs in INPUTS.items() if masked & inputs)
