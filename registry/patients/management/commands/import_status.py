from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "status"
    help = "Bring status history in from a file."
