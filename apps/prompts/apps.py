from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "apps.prompts"

    def ready(self) -> None:
        from apps.prompts import receivers  # noqa: F401
