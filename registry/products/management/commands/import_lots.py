from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "lots"
    help = "Bring in cell lots with their donors and release tests."
