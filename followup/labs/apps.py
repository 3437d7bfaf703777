from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "followup.labs"
    label = "labs"

    def ready(self) -> None:
        from followup.labs import exports, resources
        from followup.labs.signable import contribute_results
        from followup.labs.signals import listen
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register

        contribute_results()
        register(resources.LabResource)
        register_table(exports.LAB_RESULTS)
        register_table(exports.DERIVED_VALUES)
        listen()
