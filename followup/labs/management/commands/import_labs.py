from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "labs"
    help = "Bring in laboratory results from a file. Dry run unless --commit."
