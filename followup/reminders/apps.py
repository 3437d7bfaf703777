from django.apps import AppConfig


class RemindersConfig(AppConfig):
    name = "followup.reminders"
    label = "reminders"

    def ready(self) -> None:
        from followup.reminders import exports, notices
        from followup.reminders.restored import register

        exports.register()
        register()
        notices.listen()
