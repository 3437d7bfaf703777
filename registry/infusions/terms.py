"""Words for what the rules find: what a person can do about each refusal."""

WHAT_TO_DO = {
    "consent_unknown": "Record the signed consent on the patient's page, then order again.",
    "consent_withdrawn": "Do not infuse. If the person has agreed again, record the new status first.",
    "consent_not_yet_given": "Choose a day on or after the consent, or correct the date of the consent.",
    "open_hold": "Close the matter that holds further infusions, or wait for its outcome.",
    "dose_over_hard_limit": "Order fewer cells, or check the weight and the number of cells for a slip.",
    "lot_not_released": "Ask the cell facility to release the lot, or choose another one.",
    "lot_expired": "Choose a lot that is usable on that day.",
    "lot_used_up": "Choose a lot that holds enough cells, or order fewer.",
    "wrong_autologous_recipient": "Stop: these cells belong to somebody else. Choose this patient's own lot.",
    "autologous_donor_unknown": "Give the lot's donor this patient's id as its code, if the cells are theirs.",
}


def what_to_do(code: str) -> str:
    return WHAT_TO_DO.get(code, "Ask the investigator.")
