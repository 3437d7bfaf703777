from tests.rights_world import Case

CASES = {"backups:status": Case(("status.view",))}
