from tests.rights_world import Case

READ_ACTS = ("audit.view", "audit.own", "audit.product", "audit.system")
CASES = {
    "trail:search": Case(READ_ACTS),
    "trail:print": Case(READ_ACTS),
    "trail:export_csv": Case(READ_ACTS),
    "trail:export_json": Case(READ_ACTS),
    "trail:review": Case(("audit.review",)),
}
