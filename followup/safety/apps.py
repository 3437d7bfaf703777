from django.apps import AppConfig


class SafetyConfig(AppConfig):
    name = "followup.safety"
    label = "safety"

    def ready(self) -> None:
        from followup.safety.resources import ADVERSE_EVENTS, AdverseEventResource
        from followup.safety.signable import register_events
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register

        register_events()
        register(AdverseEventResource)
        register_table(ADVERSE_EVENTS)
