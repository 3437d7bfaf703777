from registry.exchange.command import ImportCommand


class Command(ImportCommand):
    kind = "adverse_events"
    help = "Bring in adverse events from a CSV or XLSX file; contradictions become queries."
