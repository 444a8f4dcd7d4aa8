from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    name = "apps.experiments"

    def ready(self) -> None:
        from apps.experiments import receivers  # noqa: F401  (connects them)
