from django.apps import AppConfig


class SignaturesConfig(AppConfig):
    name = "registry.signatures"
    label = "signatures"

    def ready(self) -> None:
        from registry import saving
        from registry.audit import locks as guards
        from registry.signatures import locks

        guards.provide(locks.guarded)
        saving.before_change.append(locks.refuse_if_locked)
        saving.explained.append(locks.explain)
