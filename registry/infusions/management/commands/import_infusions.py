from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "infusions"
    help = "Bring in infusions that were given."
