from django.apps import AppConfig


class CopiesConfig(AppConfig):
    name = "followup.copies"
    label = "copies"

    def ready(self) -> None:
        from followup.copies.actions import forget_copies_of_erased
        from registry.patients.signals import identifiers_erased

        identifiers_erased.connect(forget_copies_of_erased, dispatch_uid="copies-go-with-the-names")
