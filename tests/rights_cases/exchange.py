"""Runs are hidden by who asked for them, beyond the sites: hence `may_hide`."""

from registry.access.policy import ACTS
from registry.exchange.models import ExportRun, ImportRun
from tests.rights_world import Case, of_row

IMPORTS = tuple(act for act in ACTS if act.startswith("import."))
EXPORT = ("export.pseudonymised", "export.own_results")
of_import = of_row(ImportRun, kind="patients")

CASES = {
    "exchange:import_list": Case(IMPORTS),
    "exchange:import_new": Case(IMPORTS),
    "exchange:import_format": Case(IMPORTS, lambda world: {"kind": "patients"}, of_site=False, may_hide=True),
    "exchange:import_run": Case(IMPORTS, of_import, may_hide=True),
    "exchange:import_confirm": Case(IMPORTS, of_import, may_hide=True),
    "exchange:import_cancel": Case(IMPORTS, of_import, may_hide=True),
    "exchange:export_list": Case(EXPORT),
    "exchange:identified_export": Case(("export.identified",)),
    "exchange:export_run": Case(EXPORT, of_row(ExportRun), may_hide=True),
    "exchange:export_download": Case(EXPORT, of_row(ExportRun), may_hide=True),
}
