from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "followup.labs"
    label = "labs"

    def ready(self) -> None:
        from followup.labs import exports, resources
        from followup.labs.maskable import following, maskable, measured
        from followup.labs.signable import contribute_results
        from followup.labs.signals import listen
        from registry.access import masking
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register

        masking.offer(maskable())
        masking.register("labs.labresult", "analyte", measured)
        masking.register("labs.derivedvalue", "code", following)
        contribute_results()
        register(resources.LabResource)
        register_table(exports.LAB_RESULTS)
        register_table(exports.DERIVED_VALUES)
        listen()
