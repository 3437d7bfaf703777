from registry.products.models import Donor, Lot
from tests.rights_world import Case, of_row

CASES = {
    "products:lot_list": Case(("cells.view",)),
    "products:lot_add": Case(("cells.record",)),
    "products:lot": Case(("cells.view",), of_row(Lot), of_site=False),
    "products:lot_edit": Case(("cells.record",), of_row(Lot), of_site=False),
    "products:lot_tests": Case(("cells.record",), of_row(Lot), of_site=False),
    "products:lot_state": Case(("cells.release",), of_row(Lot), of_site=False),
    "products:donor_add": Case(("cells.record",)),
    "products:donor_edit": Case(("cells.record",), of_row(Donor), of_site=False),
}
