from django.apps import AppConfig


class CostsConfig(AppConfig):
    name = "apps.costs"

    def ready(self) -> None:
        from apps.costs import receivers  # noqa: F401  connects them
