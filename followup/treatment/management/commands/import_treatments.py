from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "treatments"
    help = "Bring in insulin and other drugs from a file. Dry run unless --commit."
