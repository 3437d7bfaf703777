from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "visits"
    help = "Bring in visits that were held: rows fill the planned visits, the rest become unscheduled visits."
