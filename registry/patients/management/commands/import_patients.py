from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "patients"
    help = "Bring patients in from a file."
