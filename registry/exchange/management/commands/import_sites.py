from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "sites"
    help = "Bring sites in from a file."
